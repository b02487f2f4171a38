"""What deploys where: a job with `environment:` is recorded as a deployment when it starts, and how it ended."""

from __future__ import annotations

import msgspec

from shipline.engine.live import Live
from shipline.engine.records import Deployment, JobRecord
from shipline.engine.store import Store
from shipline.language.expansion import expand
from shipline.protocol.payload import JobPayload

DEPLOYING = ("start", "stop")
"""The actions that change an environment; the others only use its name and variables."""


def record_start(store: Store, live: Live, job: JobRecord, payload: JobPayload) -> None:
    """A job that a runner takes deploys, if its environment says so."""
    values = {variable.key: variable.value for variable in payload.variables}
    action = values.get("CI_ENVIRONMENT_ACTION", "start")
    name = values.get("CI_ENVIRONMENT_NAME")
    if not name or action not in DEPLOYING:
        return
    url = values.get("CI_ENVIRONMENT_URL")
    commit = live.record.commit
    store.save_deployment(
        live.record.project_id,
        Deployment(
            environment=name,
            job_id=job.id,
            pipeline_id=live.record.id,
            sha=commit.sha,
            ref=commit.ref,
            status="running",
            created_at=job.started_at or 0,
            url=expand(url, values) if url else None,
            action=action,
            tier=values.get("CI_ENVIRONMENT_TIER"),
        ),
    )


def record_end(store: Store, live: Live, job: JobRecord) -> None:
    """The job has ended, and with it its deployment."""
    if not live.definitions[job.name].environment.get("name"):
        return
    ended = store.job(job.id)
    status = ended.status if ended else "failed"
    for deployment in store.deployments(live.record.project_id):
        if deployment.job_id == job.id:
            store.save_deployment(live.record.project_id, msgspec.structs.replace(deployment, status=status))


def current(deployments: list[Deployment]) -> list[Deployment]:
    """Of deployments, newest first: the last that succeeded in each environment, by the environment's name. One
    whose action is `stop` has stopped it."""
    latest: dict[str, Deployment] = {}
    for deployment in deployments:
        if deployment.status == "success":
            latest.setdefault(deployment.environment, deployment)
    return sorted(latest.values(), key=lambda deployment: deployment.environment)
