"""What people and time do to environments: stopping them, and bringing an earlier deployment back.

As in GitLab, nothing is kept of a deployment but the job that made it: an environment is stopped by playing the
`on_stop` jobs of its last deployments, and a deployment comes back by trying its job again.
"""

from __future__ import annotations

import msgspec

from shipline.engine.deployments import last_success
from shipline.engine.errors import EngineError
from shipline.engine.pipelines import Pipelines
from shipline.engine.possessions import Environment
from shipline.engine.records import Deployment, JobRecord
from shipline.engine.states import COMPLETED


def environment(pipelines: Pipelines, project_id: int, name: str) -> Environment:
    """The environment of that name. Raises EngineError, with the nearest name, when there is none."""
    found = pipelines.store.possession(project_id, Environment, name)
    if found is None:
        from difflib import get_close_matches

        names = [each.name for each in pipelines.store.possessions(project_id, Environment)]
        near = get_close_matches(name, names, n=1)
        hint = (
            f"Did you mean '{near[0]}'?"
            if near
            else f"There is: {', '.join(names)}."
            if names
            else "There is none."
        )
        raise EngineError(f"There is no environment '{name}'. {hint}")
    return found


def history(pipelines: Pipelines, project_id: int, name: str) -> list[Deployment]:
    """What was deployed to an environment, newest first."""
    return [d for d in pipelines.store.deployments(project_id, name) if d.action == "start"]


def stop_actions(pipelines: Pipelines, project_id: int, name: str) -> list[JobRecord]:
    """The jobs that stop an environment: the `on_stop` jobs of the deployments of the last pipeline in which one
    has ended, as far as they can be started now."""
    ended = [d for d in history(pipelines, project_id, name) if d.status in COMPLETED]
    found: dict[int, JobRecord] = {}
    for deployment in ended:
        if deployment.pipeline_id == ended[0].pipeline_id and deployment.on_stop:
            job = pipelines.live(deployment.pipeline_id).jobs.get(deployment.on_stop)
            if job is not None and _startable(job):
                found[job.id] = job
    return list(found.values())


def _startable(job: JobRecord) -> bool:
    """Whether a person could start the job: it waits for one, or it has been started before and is over."""
    return job.status in ("manual", "scheduled") or (job.when == "manual" and job.status in COMPLETED - {"skipped"})


def start(pipelines: Pipelines, job: JobRecord) -> JobRecord:
    """Starts a job that waits for a person, or starts it once more."""
    if job.status in ("manual", "scheduled"):
        return pipelines.play(job.pipeline_id, job.name)
    return pipelines.retry(job.pipeline_id, job.name)


def stop(pipelines: Pipelines, project_id: int, name: str, *, force: bool = False) -> list[JobRecord]:
    """Stops an environment that is available: by its stop jobs, which are started and given back; at once where it
    has none, or by `force`. An environment that is stopped already stays so."""
    found = environment(pipelines, project_id, name)
    with pipelines.store.transaction():
        jobs = [] if force else stop_actions(pipelines, project_id, name)
        if found.state != "available" and not force:
            return []
        change(pipelines, project_id, found, "stopping" if jobs else "stopped")
        return [start(pipelines, job) for job in jobs]


def change(pipelines: Pipelines, project_id: int, found: Environment, state: str) -> None:
    """Writes down an environment's new state."""
    at = found.auto_stop_at if state == "available" else None
    changed = msgspec.structs.replace(found, state=state, auto_stop_at=at, updated_at=pipelines.clock())
    pipelines.store.possess(project_id, changed)


def stop_due(pipelines: Pipelines) -> list[tuple[Environment, list[JobRecord]]]:
    """Stops the environments, of all projects, whose time has come. Gives each with the jobs that were started."""
    stopped = []
    for project_id, found in pipelines.store.due_environments(pipelines.clock()):
        if found.auto_stop_setting == "with_action" and not stop_actions(pipelines, project_id, found.name):
            continue
        stopped.append((found, stop(pipelines, project_id, found.name)))
    return stopped


def earlier(pipelines: Pipelines, project_id: int, name: str, job_id: int | None = None) -> Deployment:
    """The deployment to go back to: that of the job given (the current one is deployed once more), else the one
    that was there before what is there now. Raises EngineError when there is none."""
    environment(pipelines, project_id, name)
    done = [d for d in history(pipelines, project_id, name) if d.status == "success"]
    if job_id is not None:
        for deployment in done:
            if deployment.job_id == job_id:
                return deployment
        known = ", ".join(str(d.job_id) for d in done) or "none"
        raise EngineError(f"Job {job_id} has not deployed to '{name}'. Jobs that have: {known}.")
    now = last_success(pipelines.store, project_id, name)
    for deployment in sorted(done, key=lambda d: d.finished_at or 0, reverse=True):
        if now is not None and deployment.sha != now.sha:
            return deployment
    raise EngineError(f"'{name}' has no earlier deployment of another commit to go back to.")


def delete(pipelines: Pipelines, project_id: int, name: str) -> None:
    """Forgets an environment. Raises EngineError unless it is stopped."""
    if environment(pipelines, project_id, name).state != "stopped":
        raise EngineError(f"'{name}' is not stopped: `shipline environments stop {name}` first.")
    pipelines.store.dispossess(project_id, Environment, name)
