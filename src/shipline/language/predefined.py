"""The predefined variables that are known when a pipeline is created.

What only a running job has (its id, token, runner) is added by the engine when the job starts.
"""

from __future__ import annotations

import re
from typing import Any

from shipline.language.context import Context, ExternalPullRequest
from shipline.language.pipeline import Variable

MAX_MESSAGE = 100_000
MAX_DESCRIPTION = 2700
MAX_RELEASE_DESCRIPTION = 1024
NUMBER = "CI_PIPELINE_IID"
CONFIG = "CI_CONFIG_REF_URI"
STRONGER_THAN_THE_FILE = ("GITLAB_USER_ID", "GITLAB_USER_EMAIL", "GITLAB_USER_LOGIN", "GITLAB_USER_NAME")
"""Predefined variables that a file cannot set: GitLab puts them above it, below those that a project keeps."""
ADDRESS = re.compile(r"(?P<scheme>https?)://(?P<host>\[[^\]]*\]|[^:/]*)(?::(?P<port>\d+))?")


def slug(text: str, limit: int = 63) -> str:
    """A text as GitLab makes it fit for host names: lower case, dashes, at most 63 bytes."""
    return re.sub(r"[^a-z0-9]", "-", text.lower())[:limit].strip("-")


def environment_slug(name: str) -> str:
    """An environment's slug: at most 24 characters, with a hash where the name had to be changed."""
    slugged = re.sub(r"[^a-z0-9]", "-", name.lower())
    if not slugged[:1].isalpha():
        slugged = f"env-{slugged}"
    slugged = re.sub(r"-+", "-", slugged)
    if len(slugged) > 24 or slugged != name:
        import hashlib

        tail = hashlib.sha256(name.encode()).hexdigest()
        number = int(tail, 16)
        letters = ""
        while number and len(letters) < 6:
            number, digit = divmod(number, 36)
            letters = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + letters
        slugged = slugged[:17].rstrip("-") + "-" + letters
    return slugged.strip("-")


def predefined(context: Context) -> list[Variable]:
    """The pipeline's predefined variables, of level `predefined`."""
    values: dict[str, Any] = {
        "CI": "true",
        "GITLAB_CI": "true",
        **server(context),
        **project(context),
        **commit(context),
        **event(context),
        **user(context),
    }
    if context.for_merge_request:
        values |= merge_request(context)
    if context.external_pull_request and context.source == "external_pull_request_event":
        values |= external_pull_request(context.external_pull_request)
    values[CONFIG] = config_reference(context, str(values["CI_SERVER_FQDN"]))
    values |= context.extra_predefined
    return [
        Variable(key, str(value), "predefined", file=key == "TRIGGER_PAYLOAD")
        for key, value in values.items()
        if value is not None
    ]


def before_workflow(known: list[Variable]) -> list[Variable]:
    """The predefined variables as includes and the workflow's rules see them: the pipeline has no number yet."""
    return [Variable(NUMBER, "", "predefined") if variable.key == NUMBER else variable for variable in known]


def server(context: Context) -> dict[str, Any]:
    address = ADDRESS.match(context.server_url)
    scheme, host = (address["scheme"], address["host"]) if address else ("http", "localhost")
    usual = 443 if scheme == "https" else 80
    port = int(address["port"] or usual) if address else usual
    version = [*context.server_version.split("-")[0].split("."), "0", "0", "0"][:3]
    return {
        "CI_API_V4_URL": f"{context.server_url}/api/v4",
        "CI_API_GRAPHQL_URL": f"{context.server_url}/api/graphql",
        "CI_SERVER_URL": context.server_url,
        "CI_SERVER_HOST": host,
        "CI_SERVER_FQDN": host + ("" if port == usual else f":{port}"),
        "CI_SERVER_PORT": port,
        "CI_SERVER_PROTOCOL": scheme,
        "CI_SERVER_SHELL_SSH_HOST": host,
        "CI_SERVER_SHELL_SSH_PORT": 22,
        "CI_SERVER_NAME": context.server_name,
        "CI_SERVER_VERSION": context.server_version,
        "CI_SERVER_VERSION_MAJOR": version[0],
        "CI_SERVER_VERSION_MINOR": version[1],
        "CI_SERVER_VERSION_PATCH": version[2],
        "CI_SERVER_REVISION": "shipline",
        "CI_GITLAB_FIPS_MODE": None,
        "GITLAB_FEATURES": context.features,
        "CI_TEMPLATE_REGISTRY_HOST": "registry.gitlab.com",
        "CI_DEPENDENCY_PROXY_SERVER": context.dependency_proxy.partition("/")[0],
        "CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX": context.dependency_proxy,
        "CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX": context.dependency_proxy,
    }


def config_reference(context: Context, host: str) -> str:
    """Where the pipeline's configuration is: `host/group/project//.gitlab-ci.yml@refs/heads/main`."""
    ref = f"refs/{'tags' if context.tag else 'heads'}/{context.ref}"
    return f"{host}/{context.project_path}//{context.config_path}@{ref}"


def project(context: Context) -> dict[str, Any]:
    namespace, _, _name = context.project_path.rpartition("/")
    root = namespace.split("/")[0]
    url = context.project_url or f"{context.server_url}/{context.project_path}"
    values = {
        "CI_CONFIG_PATH": context.config_path,
        "CI_DEFAULT_BRANCH": context.default_branch,
        "CI_DEFAULT_BRANCH_SLUG": slug(context.default_branch),
        "CI_PROJECT_ID": context.project_id,
        "CI_PROJECT_NAME": context.project_name,
        "CI_PROJECT_TITLE": context.project_title or context.project_name,
        "CI_PROJECT_DESCRIPTION": context.project_description,
        "CI_PROJECT_PATH": context.project_path,
        "CI_PROJECT_PATH_SLUG": slug(context.project_path),
        "CI_PROJECT_NAMESPACE": namespace,
        "CI_PROJECT_NAMESPACE_ID": context.namespace_id,
        "CI_PROJECT_NAMESPACE_SLUG": slug(namespace),
        "CI_PROJECT_ROOT_NAMESPACE": root,
        "CI_PROJECT_ROOT_NAMESPACE_SLUG": slug(root),
        "CI_PROJECT_URL": url,
        "CI_PROJECT_VISIBILITY": context.project_visibility,
        "CI_PROJECT_REPOSITORY_LANGUAGES": "",
        "CI_PROJECT_CLASSIFICATION_LABEL": "",
        "CI_PROJECT_TOPICS": "",
        "CI_PAGES_DOMAIN": context.pages_domain or None,
        "CI_KUBERNETES_ACTIVE": "true" if context.kubernetes_active else None,
    }
    if context.registry:
        values["CI_REGISTRY"] = context.registry
        values["CI_REGISTRY_IMAGE"] = f"{context.registry}/{context.project_path.lower()}"
    return values


def commit(context: Context) -> dict[str, Any]:
    message = context.commit_message[:MAX_MESSAGE]
    title, _, rest = message.partition("\n")
    ref = context.ref
    in_branch = not context.tag and not context.for_merge_request
    return {
        "CI_COMMIT_SHA": context.sha,
        "CI_COMMIT_SHORT_SHA": context.sha[:8],
        "CI_COMMIT_BEFORE_SHA": context.before_sha,
        "CI_COMMIT_REF_NAME": ref,
        "CI_COMMIT_REF_SLUG": slug(ref),
        "CI_COMMIT_REF_PROTECTED": "true" if context.ref_protected else "false",
        "CI_COMMIT_BRANCH": ref if in_branch else None,
        "CI_COMMIT_TAG": ref if context.tag else None,
        "CI_COMMIT_TAG_MESSAGE": context.tag_message if context.tag else None,
        "CI_RELEASE_DESCRIPTION": release_description(context),
        "CI_COMMIT_MESSAGE": message,
        "CI_COMMIT_MESSAGE_IS_TRUNCATED": "true" if len(context.commit_message) > MAX_MESSAGE else "false",
        "CI_COMMIT_TITLE": title,
        "CI_COMMIT_DESCRIPTION": rest.strip("\n") if len(title) < 100 else message,
        "CI_COMMIT_AUTHOR": context.commit_author,
        "CI_COMMIT_TIMESTAMP": context.commit_timestamp,
        "CI_COMMIT_USER_LOGIN": context.commit_user_login or None,
        "CI_COMMIT_DEFAULT_BRANCH_BASE_SHA": context.default_branch_base_sha or None,
    }


def release_description(context: Context) -> str | None:
    """What the release of the pipeline's tag says."""
    if not context.tag or context.release_description is None:
        return None
    return truncated(context.release_description, MAX_RELEASE_DESCRIPTION)


def truncated(text: str, limit: int) -> str:
    """A text of at most that many characters, dots at its end where there was more."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def event(context: Context) -> dict[str, Any]:
    requests = ",".join(context.open_merge_requests[:4])
    return {
        "CI_PIPELINE_SOURCE": context.source,
        NUMBER: context.pipeline_iid,
        "CI_PIPELINE_TRIGGERED": "true" if context.source == "trigger" else None,
        "CI_PIPELINE_SCHEDULE_DESCRIPTION": context.schedule_description if context.source == "schedule" else None,
        "TRIGGER_PAYLOAD": context.trigger_payload or None,
        "CI_OPEN_MERGE_REQUESTS": requests or None,
        "CI_DEBUG_TRACE": "true" if context.debug_trace else None,
        "CI_DEBUG_SERVICES": "true" if context.debug_services else None,
        "CI_DEPLOY_FREEZE": "true" if context.deploy_freeze else None,
        "CHAT_CHANNEL": context.chat.get("channel"),
        "CHAT_INPUT": context.chat.get("input"),
        "CHAT_USER_ID": context.chat.get("user_id"),
        "CI_UPSTREAM_PIPELINE_ID": context.upstream.get("pipeline_id"),
        "CI_UPSTREAM_PROJECT_ID": context.upstream.get("project_id"),
        "CI_UPSTREAM_JOB_ID": context.upstream.get("job_id"),
    }


def user(context: Context) -> dict[str, Any]:
    return {
        "GITLAB_USER_ID": context.user_id,
        "GITLAB_USER_EMAIL": context.user_email,
        "GITLAB_USER_LOGIN": context.user_login,
        "GITLAB_USER_NAME": context.user_name,
    }


def merge_request(context: Context) -> dict[str, Any]:
    request = context.merge_request
    if request is None:
        return {}
    url = context.project_url or f"{context.server_url}/{context.project_path}"
    prefix = "CI_MERGE_REQUEST_"
    detached = request.event_type == "detached"  # the commit is the source branch's own, merged with nothing
    values = {
        "ID": request.id,
        "IID": request.iid,
        "TITLE": request.title,
        "DESCRIPTION": truncated(request.description, MAX_DESCRIPTION),
        "DESCRIPTION_IS_TRUNCATED": "true" if len(request.description) > MAX_DESCRIPTION else "false",
        "REF_PATH": f"refs/merge-requests/{request.iid}/head",
        "EVENT_TYPE": request.event_type,
        "PROJECT_ID": context.project_id,
        "PROJECT_PATH": context.project_path,
        "PROJECT_URL": url,
        "SOURCE_BRANCH_NAME": request.source_branch or context.ref,
        "SOURCE_BRANCH_SHA": "" if detached else request.source_sha,
        "SOURCE_BRANCH_PROTECTED": "true" if request.source_protected else "false",
        "SOURCE_PROJECT_ID": context.project_id,
        "SOURCE_PROJECT_PATH": context.project_path,
        "SOURCE_PROJECT_URL": url,
        "TARGET_BRANCH_NAME": request.target_branch,
        "TARGET_BRANCH_SHA": "" if detached else request.target_sha,
        "TARGET_BRANCH_PROTECTED": "true" if request.target_protected else "false",
        "DIFF_BASE_SHA": request.diff_base_sha,
        "DIFF_ID": request.diff_id,
        "LABELS": ",".join(request.labels) or None,
        "MILESTONE": request.milestone or None,
        "ASSIGNEES": ", ".join(request.assignees) or None,
        "DRAFT": "true" if request.draft else "false",
        "APPROVED": "true" if request.approved else None,
        "SQUASH_ON_MERGE": "true" if request.squash else "false",
    }
    return {prefix + key: value for key, value in values.items()}


def external_pull_request(request: ExternalPullRequest) -> dict[str, Any]:
    prefix = "CI_EXTERNAL_PULL_REQUEST_"
    values = {
        "IID": request.iid,
        "SOURCE_REPOSITORY": request.source_repository,
        "TARGET_REPOSITORY": request.target_repository,
        "SOURCE_BRANCH_NAME": request.source_branch,
        "SOURCE_BRANCH_SHA": request.source_sha,
        "TARGET_BRANCH_NAME": request.target_branch,
        "TARGET_BRANCH_SHA": request.target_sha,
    }
    return {prefix + key: value for key, value in values.items()}
