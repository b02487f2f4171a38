"""The settings of a project that no query asks for: one JSON text beside the columns."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from shipline.server.permissions import DEVELOPER, MAINTAINER, OWNER

Role = Literal["no_one_allowed", "developer", "maintainer", "owner"]
ROLES: dict[str, int] = {"no_one_allowed": 999, "developer": DEVELOPER, "maintainer": MAINTAINER, "owner": OWNER}
"""The level that giving variables to a pipeline takes, by the name of the setting's value."""


class Settings(msgspec.Struct, frozen=True):
    """`public_jobs`: whether everybody who sees the project sees its pipelines and jobs. `delete_pipelines_after`:
    seconds, None for never. `pipeline_variables_role`: who may give variables to a pipeline.
    `forward_deployment`: whether a job that would deploy something older than what is deployed is kept from it.
    `inbound_job_tokens`: whether only the jobs of listed projects get in with their tokens. `separated_caches`:
    whether jobs of protected refs share no caches with others. `cache_index`: how often they have been
    cleared. `max_artifacts_size`: of one file that a job leaves, in MiB; None for the instance's."""

    topics: list[str] = []
    public_jobs: bool = True
    group_runners: bool = True
    delete_pipelines_after: int | None = None
    keep_latest_artifact: bool = True
    pipeline_variables_role: Role = "developer"
    inbound_job_tokens: bool = True
    separated_caches: bool = True
    forward_deployment: bool = True
    cache_index: int | None = None
    max_artifacts_size: int | None = None


def settings_of(project: Any) -> Settings:
    return msgspec.json.decode(project.settings, type=Settings) if project.settings else Settings()


def changed(project: Any, **values: Any) -> str:
    """The text to keep once these settings are others."""
    return msgspec.json.encode(msgspec.structs.replace(settings_of(project), **values)).decode()
