"""The configuration that a command looks at, with all that it takes to compile it: the file's text, for which
pipeline it is read, and where its includes come from."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from shipline.cli.circumstances import Given
from shipline.cli.elsewhere import fetcher, include_server, other_projects
from shipline.cli.occasion import commit_of, occasion, of_commit, refuse_contradictions
from shipline.cli.options import given_inputs
from shipline.cli.pipeline_variables import pipeline_variables

if TYPE_CHECKING:
    from shipline.engine.repository import Repository
    from shipline.language import Context
    from shipline.language.loaders import Sources

CONFIG_FILE = ".gitlab-ci.yml"


class Configuration(NamedTuple):
    """A file to compile with everything that it needs. `shown` is its name for messages."""

    text: str
    context: Context
    loader: Sources
    shown: str


def opened(given: Given, mend: bool = False) -> Configuration:
    """The file's text with its circumstances. Raises click.UsageError when there is no such file.

    `mend`: take quoted colons as `shipline run` does, with a warning, where GitLab would refuse the file.
    """
    import gc

    gc.disable()  # one large value in a process that lives for a moment: collecting would be a third of the time
    given = with_file(given)
    refuse_contradictions(given)
    path, text = read(given.file)
    search = repository_search(path.parent)  # git answers while the language is imported
    from shipline.language.loaders import Directory, Sources

    repository = found_repository(search)
    try:
        root = (repository.path if repository else path.parent).resolve()
        whole = path.resolve()
        inside = whole.relative_to(root) if whole.is_relative_to(root) else Path(whole.name)
        local = Directory(root if whole.is_relative_to(root) else whole.parent)
        shown = str(inside if given.file is None or given.file == "-" else given.file)
        context = context_of(given, repository, str(inside), mend, "changes" in text or "include" in text)
        compared = comparison(repository) if repository else None
        server = include_server(repository)
        fetch = fetcher(given, local.root, server)
        loader = Sources(
            local,
            other_projects(given.projects),
            fetch,
            server,
            Directory(given.templates) if given.templates else None,
            compared,
        )
        return Configuration(text, context, loader, shown)
    finally:
        if repository:
            repository.close()


def with_file(given: Given) -> Given:
    """`lint --tag ci.yml` means the file, not a tag of that name: the value of such an option may be left out."""
    if given.file is None:
        if given.tag and is_file(given.tag):
            return given._replace(file=given.tag, tag="")
        if given.merge_request and is_file(given.merge_request):
            return given._replace(file=given.merge_request, merge_request="")
        if given.schedule and is_file(given.schedule):
            return given._replace(file=given.schedule, schedule="")
    return given


def is_file(value: str) -> bool:
    return value.endswith((".yml", ".yaml")) and Path(value).is_file()


def read(file: str | None) -> tuple[Path, str]:
    """The path and text of the file that was named, or of the repository's own."""
    if file == "-":
        return Path.cwd() / CONFIG_FILE, sys.stdin.read()
    path = Path(file) if file else nearest(Path.cwd())
    if not path.is_file():
        other = path.with_suffix(".yaml")
        near = f"There is {other.name}: name it, or call it {path.name}, which GitLab looks for."
        todo = near if other.is_file() else "Name one, or go to a repository that has one."
        raise click.UsageError(f"There is no file {path}. {todo}")
    return path.absolute(), path.read_bytes().decode("utf-8-sig", "replace")


def nearest(directory: Path) -> Path:
    """The configuration file of the directory or of the nearest one above it."""
    for folder in (directory, *directory.parents):
        if (folder / CONFIG_FILE).is_file():
            return folder / CONFIG_FILE
        if (folder / ".git").exists():
            break
    return directory / CONFIG_FILE


def repository_search(directory: Path) -> Callable[[], Repository] | None:
    """Begins to look for the git repository of a directory; None when it is in none."""
    if not any((folder / ".git").exists() for folder in (directory, *directory.parents)):
        return None
    from shipline.engine.errors import EngineError
    from shipline.engine.repository import Repository

    try:
        return Repository.search(directory)
    except EngineError:
        return None


def found_repository(search: Callable[[], Repository] | None) -> Repository | None:
    """What a search found; None when that is no repository that git would read."""
    from shipline.engine.errors import EngineError

    try:
        return search() if search else None
    except EngineError:
        return None


def context_of(given: Given, repository: Repository | None, config_path: str, mend: bool, changes: bool) -> Context:
    """The circumstances, from the repository where it knows and from the options where they say otherwise.

    `changes`: whether anything may ask what changed; git is not asked for nothing.
    """
    from shipline.language import Context, Variable

    facts: dict[str, Any] = {
        "config_path": config_path,
        "inputs": given_inputs(given.inputs),
        "mend_quoted_colons": mend,
    }
    if repository is not None:
        facts |= of_repository(given, repository, changes)
    facts = occasion(given, facts, repository)
    protected = bool(facts.get("ref_protected"))
    variables = pipeline_variables(given, protected=protected)
    facts["variables"] = [Variable(v.key, v.value, "pipeline", v.file, v.masked, v.raw) for v in variables]
    if repository is not None:
        from shipline.cli.state import known_of

        facts["project_variables"], facts["pipeline_iid"] = known_of(repository, protected)
    return Context(**facts)


def of_repository(given: Given, repository: Repository, changes: bool) -> dict[str, Any]:
    """What the checked out commit, or the one of --ref, says. A ref that is not there is only a name: a new branch
    of the commit that is checked out, of which nobody can say what it changed.
    """
    from shipline.engine.errors import EngineError

    facts: dict[str, Any] = {**repository.facts(), "default_branch": repository.default_branch}
    new: dict[str, Any] = {}
    try:
        commit = commit_of(given, repository)
    except EngineError:
        if given.ref is None:
            return facts
        commit = repository.commit()
        changes = False
        new["ref"] = given.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
        new["tag"] = given.ref.startswith("refs/tags/") or commit.is_tag
    changed = repository.changed(commit) if changes else None
    return facts | of_commit(commit) | new | {"changed": changed}


def finish(given: Given, configuration: Configuration) -> None:
    """Writes the lock where it was asked for."""
    if given.lock and configuration.loader.fetch is not None:
        configuration.loader.fetch.write_lock()  # type: ignore[attr-defined]


def comparison(repository: Repository) -> Callable[[str], list[str] | None]:
    """Compares the checked out commit with a ref, for `changes:compare_to`."""
    directory = repository.path

    def compare(ref: str) -> list[str] | None:
        from shipline.engine.repository import Repository

        opened_again = Repository.find(directory)
        try:
            for name in (ref, f"refs/remotes/origin/{ref.removeprefix('refs/heads/')}"):
                found = opened_again.objects.read(f"{name}^{{commit}}")
                if found is not None:
                    return opened_again.differing(found.sha, opened_again.commit().sha)
            return None
        finally:
            opened_again.close()

    return compare
