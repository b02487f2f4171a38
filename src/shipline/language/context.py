"""The circumstances of one pipeline: everything about commit, project and event that its file may ask about."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from shipline.language.pipeline import Variable

NO_SHA = "0" * 40

Source = Literal[
    "api",
    "chat",
    "external",
    "external_pull_request_event",
    "merge_request_event",
    "ondemand_dast_scan",
    "ondemand_dast_validation",
    "parent_pipeline",
    "pipeline",
    "push",
    "schedule",
    "security_orchestration_policy",
    "trigger",
    "web",
    "webide",
]


class MergeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The merge request that a pipeline with source `merge_request_event`, or a child of it, is for."""

    iid: int = 1
    id: int = 1
    title: str = ""
    description: str = ""
    source_branch: str = ""
    target_branch: str = "main"
    source_sha: str = ""
    target_sha: str = ""
    diff_base_sha: str = ""
    diff_id: int = 1
    event_type: Literal["detached", "merged_result", "merge_train"] = "detached"
    labels: list[str] = []
    milestone: str = ""
    assignees: list[str] = []
    draft: bool = False
    approved: bool = False
    squash: bool = False
    source_protected: bool = False
    target_protected: bool = True


class ExternalPullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The pull request on another host that a pipeline with source `external_pull_request_event` is for."""

    iid: int = 1
    source_repository: str = ""
    target_repository: str = ""
    source_branch: str = ""
    source_sha: str = ""
    target_branch: str = "main"
    target_sha: str = ""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a pipeline is made for. Everything has a default, so that a file can be read without a repository.

    `changed`: paths that the push or merge request changed; None when that cannot be known (a new branch, a tag,
    a schedule), and then `rules:changes` holds. `files`: the repository's files for `rules:exists`; None asks
    the loader. `variables` are those of this one pipeline (manual, trigger, schedule); the other three are kept
    on the server, the farthest group first; of one key the last wins, and one that is `Scoped` (`language.scopes`)
    is for jobs of some environments only. `inputs` answer the file's own `spec:inputs`. `pipeline_iid`: which of
    the project's pipelines it is. `release_description`: of the tag's release, where there is one already.
    `dependency_proxy`: what stands before the names of Docker Hub's images, which is Docker Hub where nobody keeps
    copies of them.

    `mend_quoted_colons`: a script line that YAML reads as a mapping because of a colon inside shell quotes is
    taken as the command it looks like, with a warning. GitLab refuses it.
    """

    ref: str = "main"
    tag: bool = False
    sha: str = NO_SHA
    before_sha: str = NO_SHA
    source: Source = "push"
    default_branch: str = "main"
    ref_protected: bool = False
    config_path: str = ".gitlab-ci.yml"

    project_id: int = 1
    project_name: str = "project"
    project_path: str = "root/project"
    project_title: str = ""
    project_description: str = ""
    project_visibility: Literal["private", "internal", "public"] = "private"
    project_url: str = ""
    namespace_id: int = 1

    commit_message: str = ""
    commit_author: str = ""
    commit_timestamp: str = ""
    tag_message: str = ""
    release_description: str | None = None

    user_id: int = 1
    user_login: str = ""
    user_name: str = ""
    user_email: str = ""

    server_url: str = "http://localhost"
    server_name: str = "Shipline"
    server_version: str = "18.0.0"
    registry: str = ""
    dependency_proxy: str = "docker.io"
    features: str = ""

    merge_request: MergeRequest | None = None
    external_pull_request: ExternalPullRequest | None = None
    open_merge_requests: list[str] = []
    schedule_description: str = ""
    trigger_payload: str = ""
    upstream: dict[str, int] = {}
    pipeline_iid: int = 1
    debug_trace: bool = False
    debug_services: bool = False
    deploy_freeze: bool = False
    chat: dict[str, str] = {}
    default_branch_base_sha: str = ""
    commit_user_login: str = ""
    pages_domain: str = ""
    kubernetes_active: bool = False

    variables: list[Variable] = []
    project_variables: list[Variable] = []
    group_variables: list[Variable] = []
    instance_variables: list[Variable] = []
    extra_predefined: dict[str, str] = {}

    inputs: dict[str, Any] = {}
    changed: list[str] | None = None
    files: list[str] | None = None
    mend_quoted_colons: bool = False

    @property
    def for_merge_request(self) -> bool:
        """Whether the pipeline is a merge request's: no branch's, no tag's."""
        child = self.source == "parent_pipeline" and self.merge_request is not None
        return child or self.source == "merge_request_event"
