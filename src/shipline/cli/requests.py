"""From the command line to what the engine is asked for: a commit, and a pipeline for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

if TYPE_CHECKING:
    from shipline.cli.circumstances import Given
    from shipline.engine.creation import Request
    from shipline.engine.records import Commit
    from shipline.engine.repository import Repository
    from shipline.engine.selection import Selection


def asked_for(
    given: Given, repository: Repository, selection: Selection, dirty: bool = False
) -> tuple[Commit, Request]:
    """The commit, with the ref that the options give it, and the request. Raises click.UsageError, EngineError."""
    from shipline.cli.elsewhere import elsewhere, project_places
    from shipline.cli.occasion import commit_of, occasion, of_commit, refuse_contradictions
    from shipline.cli.options import given_inputs
    from shipline.cli.pipeline_variables import pipeline_variables
    from shipline.engine.creation import CONFIG_FILE, Request

    refuse_contradictions(given)
    commit = repository.snapshot() if dirty else commit_of(given, repository)
    before = of_commit(commit) | {"default_branch": commit.default_branch, "source": "push"}
    facts = occasion(given, before, repository)
    commit = msgspec.structs.replace(
        commit,
        ref=facts["ref"],
        is_tag=facts["tag"],
        before_sha=facts["before_sha"],
        tag_message=facts["tag_message"] or None,
        protected=given.protected,
    )
    changed: Any = facts.get("changed", msgspec.UNSET)
    request = Request(
        source=facts["source"],
        variables=pipeline_variables(given, protected=bool(facts.get("ref_protected"))),
        jobs=selection,
        merge_request=facts.get("merge_request"),
        schedule_description=facts.get("schedule_description", ""),
        changed=changed,
        said=list(given.changed),
        inputs=given_inputs(given.inputs),
        config_path=_inside(given.file, repository) or CONFIG_FILE,
        elsewhere=elsewhere(given, repository),
        projects={path: str(place.absolute()) for path, place in project_places(given.projects).items()},
    )
    return commit, request


def _inside(file: str | None, repository: Repository) -> str:
    """The configuration file's path in the repository; empty for its own."""
    from pathlib import Path

    if file is None:
        return ""
    if file == "-":
        raise click.UsageError("--file -: a pipeline runs for a commit; `shipline list -f -` reads standard input.")
    path = Path(file).absolute()
    root = repository.path.resolve()
    for known in (path, path.resolve()):
        if known.is_relative_to(root):
            return str(known.relative_to(root))
    raise click.UsageError(
        f"--file {file}: a pipeline runs for a commit, and the file is not in {repository.path}."
    )
