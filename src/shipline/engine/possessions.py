"""What a project has besides pipelines: environments, resource groups, releases, published pages, settings.

Records as in `records`. `Possessions` is the part of the store's interface that keeps them; a store that has one
place for records by kind and name gets all of it by inheriting, and says only how such a record is kept.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

ProcessMode = Literal["unordered", "oldest_first", "newest_first", "newest_ready_first"]
EnvironmentState = Literal["available", "stopping", "stopped"]


class Environment(msgspec.Struct, frozen=True):
    """Where jobs deploy to. `url` and `auto_stop_in` are what the newest deployment said; `auto_stop_at` is when
    it stops by itself. `auto_stop_setting`: `with_action` stops it only where a job can do so."""

    name: str
    tier: str = "other"
    state: EnvironmentState = "available"
    url: str | None = None
    created_at: float = 0.0
    updated_at: float = 0.0
    auto_stop_in: str | None = None
    auto_stop_at: float | None = None
    auto_stop_setting: Literal["always", "with_action"] = "always"
    description: str | None = None
    kubernetes: dict[str, Any] = {}


class ResourceGroup(msgspec.Struct, frozen=True):
    """Jobs of which one runs at a time; `process_mode` says which of those that wait is next."""

    key: str
    process_mode: ProcessMode = "unordered"
    created_at: float = 0.0
    updated_at: float = 0.0


class ReleaseLink(msgspec.Struct, frozen=True):
    """An asset of a release that is kept elsewhere. `path` is its permanent address below the release."""

    id: int
    name: str
    url: str
    path: str | None = None
    link_type: str = "other"


class Release(msgspec.Struct, frozen=True):
    """What was released as `tag`. `sha` is the commit; `job_id` the job that made it, if a job did."""

    tag: str
    name: str
    sha: str
    created_at: float
    released_at: float
    description: str = ""
    tag_message: str | None = None
    milestones: list[str] = []
    links: list[ReleaseLink] = []
    updated_at: float = 0.0
    job_id: int | None = None
    author_id: int | None = None


class Promise(msgspec.Struct, frozen=True):
    """What a running job will publish when it has succeeded, with variables replaced; `number` is the job's, as
    text."""

    number: str
    release: dict[str, Any] = {}
    pages: dict[str, Any] = {}


class Site(msgspec.Struct, frozen=True):
    """Pages that a job has published under `prefix` (empty: at the top). `root` is the folder of the archive that
    is the site's top; `file` is the archive's name, a copy of what the job left."""

    prefix: str
    job_id: int
    pipeline_id: int
    root: str
    created_at: float
    expires_at: float | None = None
    file: str = ""


class ArtifactFile(msgspec.Struct, frozen=True):
    """One file that a job left. `size` in bytes."""

    file_type: str
    file_format: str
    filename: str
    size: int


class JobArtifacts(msgspec.Struct, frozen=True):
    """The files that a job left; `number` is the job's, as text. `expire_at` None: never. `expired`: they were
    removed. `expose_as` and `paths` are what the configuration says of the archive."""

    number: str
    pipeline_id: int
    job: str
    created_at: float
    files: list[ArtifactFile] = []
    expire_at: float | None = None
    expired: bool = False
    expose_as: str | None = None
    access: str | None = None


class ProjectSettings(msgspec.Struct, frozen=True):
    """`forward_deployment`: a job that would deploy something older than what is deployed does not run, unless
    it is tried again."""

    forward_deployment: bool = True


class Numbering(msgspec.Struct, frozen=True):
    """How far the project's own count of its pipelines has come."""

    name: str
    newest: int


Record = TypeVar("Record", Environment, ResourceGroup, Release, Promise, Site, JobArtifacts, Numbering)
KINDS: dict[type[Any], tuple[str, str]] = {
    Environment: ("environment", "name"),
    ResourceGroup: ("resource_group", "key"),
    Release: ("release", "tag"),
    Promise: ("promise", "number"),
    Site: ("site", "prefix"),
    JobArtifacts: ("artifacts", "number"),
    Numbering: ("numbering", "name"),
}
"""By a record's type: its kind, and the field that is its name."""


class Possessions:
    """One record a name and kind in each project. `possession` and `possessions` read, `possess` adds or replaces,
    `dispossess` deletes."""

    def _write(self, project_id: int, kind: str, name: str, record: bytes | None) -> None:
        """Adds or replaces a record; None deletes it."""
        raise RuntimeError("a store says how")

    def _read(self, project_id: int | None, kind: str, name: str | None) -> list[tuple[int, bytes]]:
        """The records of a kind with their projects, by name: of one project or all, of one name or all."""
        raise RuntimeError("a store says how")

    def possess(self, project_id: int, record: Record) -> None:
        """Adds the record, or replaces the one of its name."""
        kind, name = KINDS[type(record)]
        self._write(project_id, kind, getattr(record, name), msgspec.json.encode(record))

    def possessions(self, project_id: int, kind: type[Record]) -> list[Record]:
        """All records of a kind, by name."""
        rows = self._read(project_id, KINDS[kind][0], None)
        return [msgspec.json.decode(record, type=kind) for _, record in rows]

    def everywhere(self, kind: type[Record]) -> list[tuple[int, Record]]:
        """The records of a kind in all projects, each with its project's number."""
        rows = self._read(None, KINDS[kind][0], None)
        return [(project, msgspec.json.decode(record, type=kind)) for project, record in rows]

    def possession(self, project_id: int, kind: type[Record], name: str) -> Record | None:
        """The record of that name."""
        rows = self._read(project_id, KINDS[kind][0], name)
        return msgspec.json.decode(rows[0][1], type=kind) if rows else None

    def dispossess(self, project_id: int, kind: type[Record], name: str) -> None:
        """Deletes the record of that name, if there is one."""
        self._write(project_id, KINDS[kind][0], name, None)

    def due_environments(self, now: float) -> list[tuple[int, Environment]]:
        """The environments, of all projects, whose time to stop has come; each with its project's number."""
        read = ((project, _ENVIRONMENT.decode(row)) for project, row in self._read(None, "environment", None))
        return [
            (project, environment)
            for project, environment in read
            if environment.state == "available" and (environment.auto_stop_at or now) < now
        ]

    def settings(self, project_id: int) -> ProjectSettings:
        """The project's settings; the usual ones where nobody has changed them."""
        rows = self._read(project_id, "settings", "")
        return msgspec.json.decode(rows[0][1], type=ProjectSettings) if rows else ProjectSettings()

    def set_settings(self, project_id: int, settings: ProjectSettings) -> None:
        self._write(project_id, "settings", "", msgspec.json.encode(settings))


_ENVIRONMENT = msgspec.json.Decoder(Environment)
