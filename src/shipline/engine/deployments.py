"""What deploys where: a job with `environment:` is recorded when it starts, and with how it ended its environment
becomes what it then is.

Only `action: start` deploys. `stop` stops; `prepare`, `access` and `verify` use an environment that is there, and
may put off its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from shipline.engine.errors import Refusal
from shipline.engine.live import Live
from shipline.engine.possessions import Environment, Promise
from shipline.engine.records import Deployment, JobRecord
from shipline.engine.states import COMPLETED
from shipline.engine.store import Store
from shipline.language.durations import seconds
from shipline.language.expansion import expand
from shipline.language.keywords.environment import NAME_RULE, is_name
from shipline.language.pipeline import Pipeline
from shipline.protocol.payload import JobPayload

RENEWING = ("prepare", "access")
"""The actions that put an environment's end off by what its last deployment said."""
PUBLISHING = frozenset({"release", "pages", "publish"})
OUTDATED = "failed_outdated_deployment_job"


def announce(store: Store, project_id: int, compiled: Pipeline, now: float) -> None:
    """The environments that a new pipeline's jobs name are there from now on, as far as their names are known."""
    for job in compiled.jobs:
        if job.environment:
            values = {v.key: v.value for v in job.variables if v.key.startswith("CI_ENVIRONMENT_")}
            name = values.get("CI_ENVIRONMENT_NAME", "")
            if is_name(name) and "$" not in name and store.possession(project_id, Environment, name) is None:
                kubernetes, tier = job.environment.get("kubernetes") or {}, values.get("CI_ENVIRONMENT_TIER")
                made = Environment(name, tier or "other", created_at=now, updated_at=now, kubernetes=kubernetes)
                store.possess(project_id, made)


def record_start(store: Store, live: Live, job: JobRecord, payload: JobPayload) -> str | None:
    """A job that a runner takes is recorded with its environment, which is there from now on. Gives why the job
    must not run, where it would deploy something older than what is deployed. Raises Refusal where its name, with
    variables replaced, is none."""
    written = live.definitions[job.name].environment
    values = {variable.key: variable.value for variable in payload.variables} if written else {}
    if "CI_ENVIRONMENT_NAME" not in values:
        return None
    name = expand(values["CI_ENVIRONMENT_NAME"], values)
    if not is_name(name):
        unfit = f"its environment {written.get('name')!r} would be called {name!r}: a name {NAME_RULE}"
        raise Refusal("environment_creation_failure", unfit)
    commit, project_id = live.record.commit, live.record.project_id
    action = values.get("CI_ENVIRONMENT_ACTION", "start")
    url = values.get("CI_ENVIRONMENT_URL")
    started = job.started_at or job.created_at
    deployment = Deployment(
        environment=name,
        job_id=job.id,
        pipeline_id=live.record.id,
        sha=commit.sha,
        ref=commit.ref,
        status="running",
        created_at=started,
        url=expand(url, values, keep_undefined=True) if url else None,
        action=action,
        tier=values.get("CI_ENVIRONMENT_TIER"),
        auto_stop_in=_expanded(written.get("auto_stop_in"), values),
        on_stop=written.get("on_stop"),
    )
    if action == "start" and (why := _outdated(store, project_id, deployment)):
        return why
    if store.possession(project_id, Environment, name) is None:
        kubernetes = written.get("kubernetes") or {}
        tier = deployment.tier or "other"
        store.possess(
            project_id,
            Environment(name, tier, created_at=started, updated_at=started, kubernetes=kubernetes),
        )
    store.save_deployment(project_id, deployment)
    return None


def record_ends(store: Store, live: Live, jobs: Iterable[JobRecord], now: float) -> None:
    """Of jobs that have changed: those that have ended end their deployments, and publish nothing any more."""
    for job in jobs:
        if job.status not in COMPLETED:
            continue
        if job.name == "pages" or live.definitions[job.name].extra.keys() & PUBLISHING:
            store.dispossess(live.record.project_id, Promise, str(job.id))
        if live.definitions[job.name].environment:
            deployment = store.deployment_of(job.id)
            if deployment is not None and deployment.status == "running":
                url = _with_reported(job, deployment.url)
                ended = msgspec.structs.replace(deployment, status=job.status, finished_at=now, url=url)
                store.save_deployment(live.record.project_id, ended)
                _settle(store, live.record.project_id, ended, now)


def _settle(store: Store, project_id: int, deployment: Deployment, now: float) -> None:
    """Brings the environment up to date with what has just ended."""
    environment = store.possession(project_id, Environment, deployment.environment)
    if environment is None:
        return
    fields: dict[str, Any] = {}
    succeeded = deployment.status == "success"
    if deployment.action == "stop":
        if succeeded:
            fields = {"state": "stopped", "auto_stop_at": None}
        elif environment.state == "stopping":
            fields = {"state": "available"}
    elif succeeded:
        fields = renewed(store, project_id, deployment, now)
        if deployment.action == "start":
            fields["state"] = "available"
            if deployment.url:
                fields["url"] = deployment.url
            if deployment.tier:
                fields["tier"] = deployment.tier
    if fields:
        store.possess(project_id, msgspec.structs.replace(environment, updated_at=now, **fields))


def renewed(store: Store, project_id: int, deployment: Deployment, now: float) -> dict[str, Any]:
    """What a successful job changes about when its environment stops by itself."""
    wanted = deployment.auto_stop_in
    if wanted is None and deployment.action in RENEWING:
        last = last_success(store, project_id, deployment.environment)
        wanted = last.auto_stop_in if last else None
    if wanted is None:
        return {}
    length = None if wanted == "never" else seconds(wanted)
    return {"auto_stop_in": wanted, "auto_stop_at": now + length if length else None}


def last_success(store: Store, project_id: int, environment: str) -> Deployment | None:
    """What is deployed there: the deployment that was the last to succeed."""
    done = (d for d in store.deployments(project_id, environment) if d.action == "start" and d.status == "success")
    return max(done, key=lambda d: (d.finished_at or d.created_at, d.job_id), default=None)


def _outdated(store: Store, project_id: int, deployment: Deployment) -> str | None:
    """Why a job of an older pipeline must not deploy any more. A job that is tried again counts as new."""
    if not store.settings(project_id).forward_deployment:
        return None
    last = last_success(store, project_id, deployment.environment)
    if last is None or last.sha == deployment.sha or last.job_id < deployment.job_id:
        return None
    return (
        f"the deployment job is older than the previously succeeded deployment job (job {last.job_id}, commit "
        f"{last.sha[:8]}), and therefore cannot be run. To deploy the older commit all the same, retry this job"
    )


def _with_reported(job: JobRecord, url: str | None) -> str | None:
    """The URL with what the job itself has reported: an address that is known only once it has deployed."""
    if not url or "$" not in url:
        return url
    return expand(url, dotenv_of(job))


def dotenv_of(job: JobRecord) -> Mapping[str, str]:
    """The variables that a job has reported (`artifacts:reports:dotenv`)."""
    return {variable.key: variable.value for variable in job.dotenv}


def _expanded(text: str | None, values: dict[str, str]) -> str | None:
    return expand(text, values) if text else None


def current(deployments: list[Deployment]) -> list[Deployment]:
    """Of deployments, newest first: the last that succeeded in each environment, by the environment's name. One
    whose action is `stop` has stopped it."""
    latest: dict[str, Deployment] = {}
    for deployment in deployments:
        if deployment.status == "success" and deployment.action in ("start", "stop"):
            latest.setdefault(deployment.environment, deployment)
    return sorted(latest.values(), key=lambda deployment: deployment.environment)
