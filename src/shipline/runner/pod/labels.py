"""Labels and annotations of a job's pod: gitlab-runner's, and who made it."""

from __future__ import annotations

import re

import msgspec

from shipline.runner.job import Job

MACHINE_LABEL = "manager.shipline.dev/machine"
PROCESS_LABEL = "manager.shipline.dev/process"
KEPT_LABEL = "manager.shipline.dev/kept"
"""On the pod of a failed job that is held for a person to look into: no runner removes it."""


class Identity(msgspec.Struct):
    """Who made a pod: the machine (with its user), and the process on it."""

    machine: str
    process: str


def labels_of(job: Job, identity: Identity, pod: str) -> dict[str, str]:
    info = job.payload.job_info
    folder, _, project = info.project_full_path.rpartition("/")
    labels = {
        "pod": pod[:63],
        "job.runner.gitlab.com/pod": pod[:63],
        "project.runner.gitlab.com/id": str(info.project_id),
        "project.runner.gitlab.com/name": project or info.project_name,
        "project.runner.gitlab.com/namespace": folder,
        "manager.runner.gitlab.com/name": job.config.name,
        "manager.runner.gitlab.com/id-short": identity.machine[:8],
        MACHINE_LABEL: identity.machine,
        PROCESS_LABEL: identity.process,
    }
    own = {
        job.variables.expand(key): job.variables.expand(value)
        for key, value in job.config.kubernetes.pod_labels.items()
    }
    return {key: _label(value) for key, value in (labels | own).items() if _label(value)}


def _label(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", value)[:63].strip("_.-")


def annotations_of(job: Job) -> dict[str, str]:
    payload = job.payload
    annotations = {
        "job.runner.gitlab.com/id": str(payload.id),
        "job.runner.gitlab.com/url": job.variables.get("CI_JOB_URL"),
        "job.runner.gitlab.com/name": payload.job_info.name,
        "job.runner.gitlab.com/ref": payload.git_info.ref,
        "job.runner.gitlab.com/sha": payload.git_info.sha,
        "job.runner.gitlab.com/before_sha": payload.git_info.before_sha,
        "job.runner.gitlab.com/timeout": f"{payload.runner_info.timeout}s",
        "project.runner.gitlab.com/id": str(payload.job_info.project_id),
    }
    own = job.config.kubernetes.pod_annotations
    return annotations | {job.variables.expand(key): job.variables.expand(value) for key, value in own.items()}
