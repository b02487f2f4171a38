"""The job payload: what a coordinator answers to `POST /api/v4/jobs/request`, field for field GitLab's.

Unknown fields are ignored when decoding, so that a newer GitLab can add some; null is taken as GitLab's own runner
takes it, for the field's empty value. Times are seconds.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Variable(msgspec.Struct, omit_defaults=True):
    """One variable of a job. `file`: the value goes to a file and the variable holds its path.

    `raw`: never expanded. Of two with one key, the last wins. As GitLab has it, `file` and `raw` are sent only when
    true and the others always, which is why these have their defaults from a factory.
    """

    key: str
    value: str = msgspec.field(default_factory=str)
    public: bool = msgspec.field(default_factory=bool)
    file: bool = False
    masked: bool = msgspec.field(default_factory=bool)
    raw: bool = False


class JobInfo(msgspec.Struct):
    """What a job is called and where it belongs. A runner shows it; nothing depends on it."""

    name: str = ""
    stage: str = ""
    project_id: int = 0
    project_name: str = ""
    project_full_path: str = ""
    pipeline_id: int = 0
    time_in_queue_seconds: float = 0.0
    project_jobs_running_on_instance_runners_count: str = "0"
    id: int = 0
    namespace_id: int = 0
    root_namespace_id: int = 0
    user_id: int = 0


class GitInfo(msgspec.Struct):
    """What to check out. `repo_url` may hold credentials: it is a secret. `depth` 0 means all history."""

    repo_url: str
    ref: str
    sha: str
    before_sha: str = ""
    ref_type: Literal["branch", "tag"] = "branch"
    refspecs: list[str] = []
    depth: int = 20
    repo_object_format: str = "sha1"
    protected: bool | None = None


class RunnerInfo(msgspec.Struct):
    """`uuid` stays a runner's when its token is replaced; a runner writes it to its own log."""

    timeout: int = 3600
    runner_session_url: str | None = None
    uuid: str = ""


class Step(msgspec.Struct):
    """`script` holds before_script and script together (they share one shell); `after_script` is its own step."""

    name: str
    script: list[str] = []
    timeout: int = 3600
    when: Literal["on_success", "on_failure", "always"] = "on_success"
    allow_failure: bool = False


class Port(msgspec.Struct, omit_defaults=True):
    number: int
    protocol: str = "http"
    name: str = ""


class Image(msgspec.Struct):
    """The image of a job or of a service. `alias`: names separated by commas or spaces."""

    name: str
    alias: str | None = None
    command: list[str] | None = None
    entrypoint: list[str] | None = None
    ports: list[Port] = []
    variables: list[Variable] | None = None
    pull_policy: list[str] | None = None
    executor_opts: dict[str, Any] = {}


class Artifacts(msgspec.Struct):
    """What to keep of a job: its archive, or a report. `exclude` and `untracked` are missing where nothing is said
    of them, as GitLab leaves them out."""

    paths: list[str] | None = None
    exclude: list[str] | msgspec.UnsetType | None = msgspec.UNSET
    name: str | None = None
    untracked: bool | msgspec.UnsetType | None = msgspec.UNSET
    when: Literal["on_success", "on_failure", "always"] | None = None
    expire_in: str | None = None
    artifact_type: str | None = None
    artifact_format: str | None = None


class Cache(msgspec.Struct):
    key: str = ""
    paths: list[str] | None = None
    untracked: bool | None = None
    policy: str = "pull-push"
    when: Literal["on_success", "on_failure", "always"] = "on_success"
    fallback_keys: list[str] = []


class Credentials(msgspec.Struct):
    """A registry's login; `type` is always `registry` in what GitLab sends today."""

    type: str
    url: str
    username: str = ""
    password: str = ""


class ArtifactsFile(msgspec.Struct):
    filename: str = ""
    size: int = 0


class Dependency(msgspec.Struct, omit_defaults=True):
    """An earlier job whose artifacts this job downloads, with the token that lets it."""

    id: int
    name: str
    token: str
    artifacts_file: ArtifactsFile | None = None


class Hook(msgspec.Struct):
    name: str
    script: list[str] = []


class VaultAuth(msgspec.Struct):
    """How to log in: the method's path, and what is sent to it, with variables still to be replaced."""

    path: str = "jwt"
    data: dict[str, str] = {}
    name: str = "jwt"


class VaultServer(msgspec.Struct):
    url: str
    auth: VaultAuth
    namespace: str = ""


class VaultEngine(msgspec.Struct):
    name: str
    path: str


class VaultSecret(msgspec.Struct):
    """A field of a secret in Vault."""

    server: VaultServer
    engine: VaultEngine
    path: str
    field: str


class Secret(msgspec.Struct, omit_defaults=True):
    """A secret that the runner gets from a store. `file`: the variable names a file; so too where it is None."""

    vault: VaultSecret | None = None
    file: bool | None = None


class InputValue(msgspec.Struct):
    """`type`: string, number, boolean, array or struct."""

    type: str
    content: Any = None
    sensitive: bool = False


class JobInput(msgspec.Struct):
    key: str
    value: InputValue


class Features(msgspec.Struct, omit_defaults=True):
    trace_sections: bool = True
    token_mask_prefixes: list[str] = []
    failure_reasons: list[str] = []


class Assignment(msgspec.Struct):
    """The least that is known of a job: enough to say of it that it cannot be run."""

    id: int
    token: str


class JobPayload(msgspec.Struct):
    """One job as it leaves the engine. `token` is a secret that is good for this job alone; `run` is a JSON text:
    the steps of a job that has these in place of a script."""

    id: int
    token: str
    job_info: JobInfo
    git_info: GitInfo
    runner_info: RunnerInfo
    variables: list[Variable] = []
    steps: list[Step] = []
    image: Image | None = None
    services: list[Image] = []
    artifacts: list[Artifacts] | None = None
    cache: list[Cache] = []
    credentials: list[Credentials] = []
    dependencies: list[Dependency] = []
    hooks: list[Hook] = []
    secrets: dict[str, Secret] | None = None
    inputs: list[JobInput] | None = None
    run: str | msgspec.UnsetType = msgspec.UNSET
    features: Features = msgspec.field(default_factory=Features)
    allow_git_fetch: bool = True


def encode(payload: JobPayload) -> bytes:
    """The payload as JSON."""
    return msgspec.json.encode(payload)


def decode(text: bytes | str) -> JobPayload:
    """A payload from JSON; `msgspec.ValidationError` (a `ValueError`) names the first wrong field by path."""
    try:
        return msgspec.json.decode(text, type=JobPayload)
    except msgspec.ValidationError:
        return msgspec.convert(_without_nulls(msgspec.json.decode(text)), JobPayload)


def decode_assignment(text: bytes | str) -> Assignment:
    """Only which job it is, of a payload that `decode` does not take."""
    return msgspec.json.decode(text, type=Assignment)


def _without_nulls(value: Any) -> Any:
    """The value without the fields that hold nothing, at any depth."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    return value
