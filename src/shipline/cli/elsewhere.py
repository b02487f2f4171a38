"""Where includes of other projects, of the web and of templates come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shipline.cli.circumstances import LOCK_FILE, Given

if TYPE_CHECKING:
    from shipline.engine.records import PipelineRecord
    from shipline.engine.repository import Repository
    from shipline.engine.sources import Elsewhere
    from shipline.language.fetched import Fetched
    from shipline.language.loaders import Project


def elsewhere(given: Given, repository: Repository) -> Elsewhere:
    """As the command line says, for a pipeline of a repository."""
    from shipline.engine.sources import Elsewhere
    from shipline.language.loaders import Directory

    server = include_server(repository)
    return Elsewhere(
        projects=other_projects(given.projects),
        fetch=fetcher(given, repository.path, server),
        server=server,
        templates=Directory(given.templates) if given.templates else None,
    )


def elsewhere_of(record: PipelineRecord, repository: Repository) -> Elsewhere:
    """The same for a pipeline of an earlier command, as far as that was remembered."""
    from shipline.cli.fetching import fetching
    from shipline.cli.other_project import OtherProject
    from shipline.engine.sources import Elsewhere

    server = include_server(repository)
    lock = repository.path / LOCK_FILE
    return Elsewhere(
        projects={path: OtherProject(Path(place)) for path, place in record.projects.items()},
        fetch=fetching(server, lock if lock.exists() else None),
        server=server,
    )


def include_server(repository: Repository | None) -> str:
    """The server that other projects of includes are on: that of the repository, else gitlab.com."""
    from shipline.engine.repository import LOCALHOST

    own = repository.server_url if repository else LOCALHOST
    return "https://gitlab.com" if own == LOCALHOST else own


def other_projects(texts: tuple[str, ...]) -> dict[str, Project]:
    """The projects of --project, as includes read them."""
    from shipline.cli.other_project import OtherProject

    return {path: OtherProject(directory) for path, directory in project_places(texts).items()}


def project_places(texts: tuple[str, ...]) -> dict[str, Path]:
    """The projects of --project, each a directory."""
    found: dict[str, Path] = {}
    for text in texts:
        path, equals, directory = text.partition("=")
        if not equals or not Path(directory).is_dir():
            raise click.UsageError(
                f"--project {text}: write group/project=DIRECTORY, with a directory that is there."
            )
        found[path] = Path(directory)
    return found


def fetcher(given: Given, root: Path, server: str) -> Fetched:
    """What fetches remote files: through the cache, and checked against the lock where there is one."""
    from shipline.cli.fetching import fetching

    lock = root / LOCK_FILE
    return fetching(server, lock if given.lock or lock.exists() else None, given.offline)
