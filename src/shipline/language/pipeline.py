"""The compiled pipeline: what `compile` returns. Values only; GitLab's own names.

Everything that GitLab decides when a pipeline is created is decided here: rules have been evaluated (their
outcome is in `when`, `allow_failure`, `variables`, ...), extends and defaults are merged, the matrix is
expanded to jobs. What GitLab leaves to the runner or to the shell (an `image: $IMAGE`) is left as written.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from shipline.language.values import NOWHERE, Place

When = Literal["on_success", "on_failure", "always", "manual", "delayed", "never"]


class Variable(msgspec.Struct, frozen=True):
    """`level` names where the value came from: `predefined`, `global`, `workflow`, `job`, `matrix`, `rules`,
    `instance`, `group`, `project`, `pipeline`, from low to high precedence. `place` is where a file has it.
    """

    key: str
    value: str
    level: str = "job"
    file: bool = False
    masked: bool = False
    raw: bool = False
    public: bool = True
    place: Place = NOWHERE


class Service(msgspec.Struct, frozen=True):
    """`alias` as written: several names may be separated by commas or spaces."""

    name: str
    alias: str | None = None
    command: list[str] | None = None
    entrypoint: list[str] | None = None
    variables: dict[str, str] = {}
    pull_policy: list[str] | None = None
    docker: dict[str, Any] = {}
    kubernetes: dict[str, Any] = {}


class Image(msgspec.Struct, frozen=True):
    name: str
    entrypoint: list[str] | None = None
    pull_policy: list[str] | None = None
    docker: dict[str, Any] = {}
    kubernetes: dict[str, Any] = {}


class Need(msgspec.Struct, frozen=True):
    """One need of a job, by the final name (`test 1/3`, `build: [linux]`)."""

    job: str
    artifacts: bool = True
    optional: bool = False
    pipeline: str | None = None
    project: str | None = None
    ref: str | None = None


class Job(msgspec.Struct):
    """One job of this pipeline. `needs` None: ordered by stages. Keys without a field of their own are in
    `extra`, by GitLab's name and in GitLab's form, so that nothing of a file is ever lost on the way.

    `variables` holds every level that is known at creation, lowest precedence first (of two with one key the
    last wins), unexpanded: `expansion.expand_all` finishes them when the job's own variables are known.
    `start_in` is in seconds, as is `timeout`. `allow_failure` stays false where exit codes decide.

    `borrows`: jobs that are left out of this pipeline and whose artifacts the job gets all the same.

    `line` is where the job stands in `file`; `places` gives a place for each key that the job has (`image`,
    `script`, ...), so that a later refusal can name it.
    """

    name: str
    stage: str
    stage_index: int
    script: list[str] = []
    before_script: list[str] = []
    after_script: list[str] = []
    image: Image | None = None
    services: list[Service] = []
    tags: list[str] = []
    variables: list[Variable] = []
    when: When = "on_success"
    start_in: int | None = None
    allow_failure: bool = False
    allow_failure_exit_codes: list[int] = []
    manual_confirmation: str | None = None
    needs: list[Need] | None = None
    dependencies: list[str] | None = None
    borrows: list[str] = []
    timeout: int | None = None
    interruptible: bool = False
    resource_group: str | None = None
    retry: dict[str, Any] = {}
    artifacts: dict[str, Any] = {}
    cache: list[dict[str, Any]] = []
    environment: dict[str, Any] = {}
    trigger: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    parallel_index: int | None = None
    parallel_total: int | None = None
    group_name: str | None = None
    file: str = ".gitlab-ci.yml"
    line: int = 0
    places: dict[str, Place] = {}
    values: dict[str, Any] = {}

    def at(self, key: str) -> Place:
        """The place of a keyword of this job, or of the job where it has none."""
        return self.places.get(key, Place(self.file, self.line, 1))


class Pipeline(msgspec.Struct):
    """`stages` in order, only those that have jobs. No jobs at all: GitLab makes no pipeline.

    `variables` are the top level's and the workflow's, `predefined` those that belong to no single job.
    """

    stages: list[str]
    jobs: list[Job]
    name: str | None = None
    variables: list[Variable] = []
    auto_cancel: dict[str, Any] = {}
    warnings: list[Any] = []
    predefined: list[Variable] = []
    all_stages: list[str] = []
