"""What the API answers with: users, projects, pipelines, jobs and the rest as GitLab's JSON objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from shipline.engine.records import JobRecord, PipelineRecord
from shipline.engine.running_time import running_time
from shipline.engine.states import COMPLETED
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.http.answers import time_text
from shipline.server.http.call import Call
from shipline.server.instance import Instance
from shipline.server.project_settings import settings_of
from shipline.server.runners import status_of

Shape = dict[str, Any]
_JOB = msgspec.json.Decoder(JobRecord)
_PIPELINE = msgspec.json.Decoder(PipelineRecord)
TEXTS = {"success": "passed", "waiting_for_resource": "waiting", "scheduled": "delayed"}


def base(call: Call) -> str:
    """The server's address as this caller knows it."""
    if call.instance.settings.external_url:
        return call.instance.settings.url
    return f"http://{call.request.headers.get('host', '')}" if call.request.headers.get("host") else ""


def user_basic(call: Call, user: Any) -> Shape:
    return {
        "id": user.id,
        "username": user.username,
        "public_email": None,
        "name": user.name,
        "state": user.state,
        "locked": False,
        "avatar_url": None,
        "web_url": f"{base(call)}/{user.username}",
    }


def user_of(call: Call, user_id: int | None) -> Shape | None:
    user = call.instance.accounts.user(user_id) if user_id is not None else None
    return user_basic(call, user) if user is not None else None


def namespace(call: Call, project: Any) -> Shape:
    row = call.instance.database.one(sa.select(t.namespaces).where(t.namespaces.c.id == project.namespace_id))
    return namespace_shape(call, row)


def namespace_shape(call: Call, row: Any) -> Shape:
    prefix = "groups/" if row.kind == "group" else ""
    return {
        "id": row.id,
        "name": row.name,
        "path": row.path.rpartition("/")[2],
        "kind": row.kind,
        "full_path": row.path,
        "parent_id": row.parent_id,
        "avatar_url": None,
        "web_url": f"{base(call)}/{prefix}{row.path}",
    }


PROJECT_BASIC = (
    *("id", "description", "name", "name_with_namespace", "path", "path_with_namespace", "created_at"),
    *("default_branch", "tag_list", "topics", "ssh_url_to_repo", "http_url_to_repo", "web_url", "readme_url"),
    *("avatar_url", "star_count", "last_activity_at", "namespace"),
)


def project_basic(call: Call, row: Any) -> Shape:
    """What everybody who sees a project is told of it."""
    full = project(call, row)
    return {key: full[key] for key in PROJECT_BASIC}


def project(call: Call, row: Any) -> Shape:
    owner = namespace(call, row)
    url = f"{base(call)}/{row.full_path}"
    path = row.full_path.rpartition("/")[2]
    level = call.instance.projects.level(row, call.caller)
    access = {"access_level": min(level, 50), "notification_level": 3} if level else None
    in_group = owner["kind"] == "group"
    settings = settings_of(row)
    origin = _origin(call, row)
    return {
        "id": row.id,
        "description": row.description,
        "name": row.name,
        "name_with_namespace": f"{owner['name']} / {row.name}",
        "path": path,
        "path_with_namespace": row.full_path,
        "created_at": time_text(row.created_at),
        "default_branch": row.default_branch,
        "tag_list": settings.topics,
        "topics": settings.topics,
        "ssh_url_to_repo": "",
        "http_url_to_repo": f"{url}.git",
        "web_url": url,
        "readme_url": None,
        "avatar_url": None,
        "star_count": 0,
        "last_activity_at": time_text(row.last_activity_at),
        "visibility": row.visibility,
        "namespace": owner,
        "_links": {"self": f"{base(call)}/api/v4/projects/{row.id}"},
        "archived": bool(row.archived),
        "empty_repo": not any(Path(row.path).glob("refs/heads/*")) and not Path(row.path, "packed-refs").exists(),
        "repository_object_format": "sha1",
        "jobs_enabled": True,
        "issues_enabled": False,
        "merge_requests_enabled": True,
        "wiki_enabled": False,
        "snippets_enabled": False,
        "lfs_enabled": True,
        "repository_access_level": "enabled",
        "builds_access_level": "enabled",
        "public_jobs": settings.public_jobs,
        "group_runners_enabled": settings.group_runners,
        "keep_latest_artifact": settings.keep_latest_artifact,
        "ci_separated_caches": settings.separated_caches,
        "max_artifacts_size": settings.max_artifacts_size,
        "ci_forward_deployment_enabled": settings.forward_deployment,
        "ci_forward_deployment_rollback_allowed": True,
        "ci_delete_pipelines_in_seconds": settings.delete_pipelines_after,
        "ci_pipeline_variables_minimum_override_role": settings.pipeline_variables_role,
        "restrict_user_defined_variables": settings.pipeline_variables_role != "developer",
        "ci_job_token_scope_enabled": False,
        "build_git_strategy": "fetch",
        "auto_cancel_pending_pipelines": "enabled",
        "import_url": None,
        "import_status": "none",
        "shared_with_groups": [],
        "updated_at": time_text(row.last_activity_at),
        "shared_runners_enabled": row.shared_runners is not False,
        "creator_id": row.creator_id,
        "ci_default_git_depth": row.git_depth,
        "ci_config_path": row.config_path,
        "build_timeout": row.build_timeout,
        "permissions": {
            "project_access": None if in_group else access,
            "group_access": access if in_group else None,
        },
    } | origin


def _origin(call: Call, row: Any) -> Shape:
    """What a project is a fork of, where the caller may see that."""
    source = call.instance.projects.by_id(row.forked_from) if row.forked_from is not None else None
    if source is None or not (
        may.visible_to_all(source, call.caller) or call.instance.projects.level(source, call.caller)
    ):
        return {}
    return {"forked_from_project": project_basic(call, source)}


def project_id(call: Call, row: Any) -> Shape:
    full = project(call, row)
    wanted = ("id", "description", "name", "name_with_namespace", "path", "path_with_namespace", "created_at")
    return {key: full[key] for key in wanted}


def pipeline_of(row: Any) -> PipelineRecord:
    return _PIPELINE.decode(row.record)


def job_of(row: Any) -> JobRecord:
    return _JOB.decode(row.record)


def pipeline_row(instance: Instance, pipeline_id: int) -> Any | None:
    return instance.database.one(sa.select(t.pipelines).where(t.pipelines.c.id == pipeline_id))


def pipeline_basic(call: Call, row: Any, full_path: str) -> Shape:
    record = pipeline_of(row)
    return {
        "id": record.id,
        "iid": record.iid,
        "project_id": record.project_id,
        "sha": record.commit.sha,
        "ref": record.ref,
        "status": record.status,
        "source": record.source,
        "created_at": time_text(record.created_at),
        "updated_at": time_text(row.updated_at),
        "web_url": f"{base(call)}/{full_path}/-/pipelines/{record.id}",
    }


def pipeline(call: Call, row: Any, full_path: str) -> Shape:
    record = pipeline_of(row)
    finished = record.finished_at if record.status in COMPLETED else None
    duration = running_time(call.instance.store, record)
    queued = int(record.started_at - record.created_at) if record.started_at else 0
    found = [job.coverage for job in call.instance.store.jobs(record.id) if job.coverage is not None]
    return pipeline_basic(call, row, full_path) | {
        "before_sha": record.commit.before_sha,
        "tag": record.commit.is_tag,
        "yaml_errors": record.yaml_errors,
        "user": user_of(call, row.user_id),
        "started_at": time_text(record.started_at),
        "finished_at": time_text(finished),
        "committed_at": None,
        "duration": int(duration) if duration is not None else None,
        "queued_duration": queued or None,
        "coverage": f"{sum(found) / len(found):.2f}" if found else None,
        "detailed_status": detailed(record.status, f"/{full_path}/-/pipelines/{record.id}"),
        "name": record.name,
        "warnings": record.warnings,
    }


def detailed(status: str, path: str) -> Shape:
    text = TEXTS.get(status, status)
    return {
        "icon": f"status_{status}",
        "text": text,
        "label": "manual action" if status == "manual" else text,
        "group": status.replace("_", "-"),
        "tooltip": text,
        "has_details": True,
        "details_path": path,
        "illustration": None,
        "favicon": "",
    }


def job(call: Call, row: Any, full_path: str) -> Shape:
    """A job's row with all that GitLab tells of one."""
    record = job_of(row)
    instance = call.instance
    parent = pipeline_row(instance, record.pipeline_id)
    assert parent is not None
    pipeline_record = pipeline_of(parent)
    assigned = t.assignments.c.job_id == record.id
    runner = instance.database.one(
        sa.select(t.runners).join(t.assignments, t.assignments.c.runner_id == t.runners.c.id).where(assigned)
    )
    its = (t.assignments.c.runner_id, t.assignments.c.system_id)
    joined = sa.and_(t.managers.c.runner_id == its[0], t.managers.c.system_id == its[1])
    known = instance.database.one(sa.select(t.managers).join(t.assignments, joined).where(assigned))
    files = instance.artifacts.of(record.id)
    archive = next((file for file in files if file.file_type == "archive"), None)
    waited = record.started_at - record.queued_at if record.started_at and record.queued_at else None
    shape: Shape = {
        "id": record.id,
        "status": record.status,
        "stage": record.stage,
        "name": record.name,
        "ref": pipeline_record.ref,
        "tag": pipeline_record.commit.is_tag,
        "coverage": record.coverage,
        "allow_failure": record.allow_failure,
        "created_at": time_text(record.created_at),
        "started_at": time_text(record.started_at),
        "finished_at": time_text(record.finished_at),
        "erased_at": time_text(row.erased_at),
        "duration": record.duration,
        "queued_duration": waited,
        "user": user_of(call, parent.user_id),
        "commit": {
            "id": pipeline_record.commit.sha,
            "short_id": pipeline_record.commit.sha[:8],
            "title": pipeline_record.commit.message.partition("\n")[0],
            "message": pipeline_record.commit.message,
        },
        "pipeline": pipeline_basic(call, parent, full_path),
        "web_url": f"{base(call)}/{full_path}/-/jobs/{record.id}",
        "project": {"ci_job_token_scope_enabled": False},
        "artifacts": [artifact(file) for file in files],
        "runner": runner_shape(runner) if runner is not None else None,
        "runner_manager": manager(known) if known is not None else None,
        "artifacts_expire_at": time_text(archive.expire_at) if archive else None,
        "archived": False,
        "tag_list": sorted(record.tags),
    }
    if archive is not None:
        shape["artifacts_file"] = {"filename": archive.filename, "size": archive.size}
    if record.status == "failed":
        shape["failure_reason"] = record.failure_reason or "unknown_failure"
    return shape


BUILDS_ONLY = (
    *("artifacts", "artifacts_file", "runner", "runner_manager", "artifacts_expire_at", "archived", "tag_list"),
)
"""What the shape of a job has and that of a trigger job has not."""


def bridge(call: Call, row: Any, full_path: str) -> Shape:
    """A trigger job's row: the basic facts of a job, and the pipeline that it made, if the caller may see it."""
    shape = {key: value for key, value in job(call, row, full_path).items() if key not in BUILDS_ONLY}
    return shape | {"downstream_pipeline": _downstream(call, job_of(row))}


def _downstream(call: Call, record: JobRecord) -> Shape | None:
    below = pipeline_row(call.instance, record.downstream) if record.downstream is not None else None
    other = call.instance.projects.by_id(below.project_id) if below is not None else None
    if below is None or other is None:
        return None
    may_see = other.visibility == "public" or call.instance.projects.level(other, call.caller) >= may.REPORTER
    return pipeline_basic(call, below, other.full_path) if may_see else None


def artifact(file: Any) -> Shape:
    return {
        "file_type": file.file_type,
        "size": file.size,
        "filename": file.filename,
        "file_format": file.file_format,
    }


def runner_shape(runner: Any) -> Shape:
    status = status_of(runner)
    return {
        "id": runner.id,
        "description": runner.description,
        "ip_address": None,
        "active": not runner.paused,
        "paused": runner.paused,
        "is_shared": runner.kind == "instance_type",
        "runner_type": runner.kind,
        "name": "gitlab-runner",
        "online": status == "online",
        "created_at": time_text(runner.created_at),
        "status": status,
        "job_execution_status": "idle",
    }


def manager(row: Any) -> Shape:
    """One of the processes that serve a runner."""
    told = ("id", "system_id", "version", "revision", "platform", "architecture")
    return {key: getattr(row, key) for key in told} | {
        "created_at": time_text(row.created_at),
        "contacted_at": time_text(row.contacted_at),
        "ip_address": row.address,
        "status": status_of(row),
        "job_execution_status": "idle",
    }
