"""Where Shipline keeps things on this machine, and opening what the engine keeps there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shipline.engine.pipelines import Pipelines
    from shipline.engine.records import JobRecord, PipelineRecord
    from shipline.engine.repository import Repository
    from shipline.language.pipeline import Variable


def home() -> Path:
    """The state directory: `$SHIPLINE_HOME`, else `~/.local/state/shipline`."""
    if given := os.environ.get("SHIPLINE_HOME"):
        return Path(given).absolute()
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "shipline"


def config_path() -> Path:
    """The configuration file: `$SHIPLINE_CONFIG`, else `~/.config/shipline/config.toml`. It need not exist."""
    if given := os.environ.get("SHIPLINE_CONFIG"):
        return Path(given).absolute()
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "shipline" / "config.toml"


@contextmanager
def opened_pipelines() -> Iterator[Pipelines]:
    """The pipelines of this machine, closed at the end."""
    from shipline.engine.errors import EngineError
    from shipline.engine.pipelines import Pipelines
    from shipline.engine.sqlite_store import SqliteStore

    try:
        store = SqliteStore(home())
    except OSError as error:
        raise EngineError(
            f"The state directory {home()} cannot be used: {error.strerror} ({error.filename}). "
            "Set SHIPLINE_HOME to a directory that can.",
            exit_code=3,
        ) from None
    pipelines = Pipelines(store)
    try:
        yield pipelines
    finally:
        with contextlib.suppress(Exception):  # the disk may be full: what went wrong before is what counts
            pipelines.give_up()
        store.close()


@contextmanager
def opened_repository(directory: Path | None = None) -> Iterator[Repository]:
    """The git repository of a directory, by default the one we are in."""
    from shipline.engine.repository import Repository

    repository = Repository.find(directory or Path.cwd())
    try:
        yield repository
    finally:
        repository.close()


def chosen_pipeline(pipelines: Pipelines, pipeline_id: int | None, job: str | None = None) -> PipelineRecord:
    """The pipeline of that number; else the newest of the repository we are in (in which, or in what it has
    triggered, there is a job of that name). Children are found through their parents.

    Raises EngineError when there is none.
    """
    from shipline.cli.hierarchy import found, topmost
    from shipline.engine.errors import EngineError

    if pipeline_id is not None:
        return pipelines.live(pipeline_id).record
    with opened_repository() as repository:
        project = pipelines.store.project(str(repository.path))
    newest = pipelines.store.pipelines(project.id, limit=20)
    parents = [record for record in newest if record.source != "parent_pipeline"]
    newest = parents or [topmost(pipelines, record.id) for record in newest[:1]]
    for record in newest:
        if job is None or found(pipelines, record.id, job):
            return record
    if not newest:
        raise EngineError(f"{project.path} has had no pipeline yet: `shipline run` makes one.")
    pipelines.job(newest[0].id, job or "")
    return newest[0]


def chosen_job(pipelines: Pipelines, job: str, pipeline_id: int | None) -> JobRecord:
    """A job by its name (in the newest pipeline that has it, or the one given) or by its number. Jobs of triggered
    pipelines may be named with the trigger jobs above them: `deploy/smoke test`."""
    from shipline.cli.hierarchy import one
    from shipline.engine.errors import EngineError

    if job.isdigit() and pipeline_id is None:
        found = pipelines.store.job(int(job))
        if found is None:
            raise EngineError(f"There is no job number {job}.")
        return found
    return one(pipelines, chosen_pipeline(pipelines, pipeline_id, job).id, job)


def known_of(repository: Repository, protected: bool) -> tuple[list[Variable], int]:
    """What the state says of a repository to whoever only looks: the variables that are kept for its jobs, whose
    values are never shown, with those for protected refs or without; and the number that its next pipeline gets.
    """
    nothing: tuple[list[Variable], int] = [], 1
    if not (home() / "shipline.db").is_file():
        return nothing
    import sqlite3

    from shipline.engine.errors import EngineError
    from shipline.engine.numbering import upcoming
    from shipline.engine.scopes import for_rules
    from shipline.engine.sqlite_store import SqliteStore

    try:
        store = SqliteStore(home())
        try:
            project = store.known_project(str(repository.path))
            if project is None:
                return nothing
            kept = for_rules(store.variables(project.id), protected, "project", masked=True)
            return kept, upcoming(store, project.id)
        finally:
            store.close()
    except (EngineError, OSError, sqlite3.Error):  # what cannot be read is told by a run
        return nothing
