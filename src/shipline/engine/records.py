"""What the store remembers, as values: projects, pipelines, jobs (one record a try), variables, deployments.

Records are frozen; a change is a new record (`msgspec.structs.replace`) that is saved. Times are Unix seconds.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from shipline.engine.states import Status
from shipline.language.context import MergeRequest
from shipline.language.pipeline import When


class Project(msgspec.Struct, frozen=True):
    """A git repository on this machine; `path` is the absolute path of its top directory."""

    id: int
    path: str


class PipelineVariable(msgspec.Struct, frozen=True):
    """A variable given to one pipeline (`--variable`) or to one manual job when it is started. `file`: jobs get
    the path of a file with the value. `raw`: its value is never expanded. `masked`: no log shows it."""

    key: str
    value: str
    file: bool = False
    raw: bool = False
    masked: bool = False


class Upstream(msgspec.Struct, frozen=True):
    """The trigger job that a downstream pipeline was made by."""

    pipeline_id: int
    job_id: int
    project_id: int


class Commit(msgspec.Struct, frozen=True):
    """The commit that a pipeline is for, and where it stands. `timestamp` is ISO 8601 with its offset.

    `dirty`: the commit was made of uncommitted changes and is in no branch. `protected`: whether its ref is, where
    somebody keeps such rules; None where nobody does.
    """

    sha: str
    before_sha: str
    ref: str
    is_tag: bool
    message: str
    author: str
    timestamp: str
    default_branch: str
    tag_message: str | None = None
    dirty: bool = False
    protected: bool | None = None


class PipelineRecord(msgspec.Struct, frozen=True):
    """`iid` counts within the project. `process` is the process that runs the pipeline, or was the last to.
    `revision` grows with every change of the pipeline or of one of its jobs. `upstream`: what triggered it; a child
    pipeline has the source `parent_pipeline`, another project's `pipeline`. `merge_request`: which one it is for.
    `projects`: directories of other projects, by path, as they were given when it was started; `changed`: paths
    that were then said to have changed, which holds for its children too. `warnings`: what is dubious in its
    configuration; `yaml_errors`: why it failed before it had a job."""

    id: int
    iid: int
    project_id: int
    source: str
    commit: Commit
    created_at: float
    status: Status = "created"
    stages: dict[str, Status] = {}
    variables: list[PipelineVariable] = []
    process: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    name: str | None = None
    revision: int = 0
    upstream: Upstream | None = None
    merge_request: MergeRequest | None = None
    projects: dict[str, str] = {}
    changed: list[str] = []
    warnings: list[str] = []
    yaml_errors: str | None = None

    @property
    def ref(self) -> str:
        """What GitLab calls the pipeline's ref: the merge request's own, else the branch or tag."""
        about = self.merge_request
        return f"refs/merge-requests/{about.iid}/head" if about is not None else self.commit.ref


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a report of a job comes to. Tests: `total`, of these `failed`, `errors` and `skipped`, with the `names`
    of the first that went wrong; findings: `total`, and `counts` by severity; `coverage` in per cent. `problem`:
    why it could not be read."""

    kind: str
    total: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0
    names: list[str] = []
    counts: dict[str, int] = {}
    coverage: float | None = None
    problem: str | None = None


class JobRecord(msgspec.Struct, frozen=True):
    """One try of a job; `latest` is false once a newer try has replaced it.

    `queued_at`: when it became pending; `scheduled_at`: when a delayed job is due. `variables` were given by
    the person who started it, as were `inputs`. `start_at_once`: see `shipline.engine.processing.States`.
    `bridge`: no runner takes it (`shipline.engine.bridges`); `downstream` is then the number of the pipeline that
    it follows, once there is one. `dotenv`: the variables that the job reported for later ones; `reports`: what its
    other reports come to. `files_gone`: what it left has been erased, or has expired. `user_id`: on a server, who
    started the bridge, when that was not the pipeline's user. `debug`: its log shows its variables.
    """

    id: int
    pipeline_id: int
    name: str
    stage: str
    when: When
    created_at: float
    attempt: int = 1
    latest: bool = True
    status: Status = "created"
    allow_failure: bool = False
    start_at_once: bool = False
    resource_group: str | None = None
    tags: list[str] = []
    queued_at: float | None = None
    scheduled_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    failure_reason: str | None = None
    exit_code: int | None = None
    runner: str | None = None
    process: str | None = None
    variables: list[PipelineVariable] = []
    coverage: float | None = None
    inputs: dict[str, Any] = {}
    bridge: bool = False
    downstream: int | None = None
    user_id: int | None = None
    dotenv: list[PipelineVariable] = []
    reports: list[Report] = []
    files_gone: bool = False
    debug: bool = False

    @property
    def duration(self) -> float | None:
        """Seconds of running; None unless the job has run to its end."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at


class ProjectVariable(msgspec.Struct, frozen=True):
    """A CI/CD variable kept for a project. `environment_scope`: `*`, a name, or a pattern with `*`.

    `file`: jobs get the path of a file with the value. `protected`: only pipelines of the default branch get
    it. `raw`: its value is never expanded. `hidden`: it is masked, and nobody is shown it any more.
    """

    key: str
    value: str
    kind: Literal["env_var", "file"] = "env_var"
    masked: bool = False
    protected: bool = False
    raw: bool = False
    environment_scope: str = "*"
    hidden: bool = False
    description: str = ""


class Deployment(msgspec.Struct, frozen=True):
    """A job that uses an environment, which it deploys to when its `action` is `start`. `url` is what the job's
    `environment: url` came to, `auto_stop_in` and `on_stop` likewise."""

    environment: str
    job_id: int
    pipeline_id: int
    sha: str
    ref: str
    status: Status
    created_at: float
    url: str | None = None
    action: str = "start"
    tier: str | None = None
    finished_at: float | None = None
    auto_stop_in: str | None = None
    on_stop: str | None = None
