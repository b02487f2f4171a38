"""The pod of a job, and the Secret beside it: pure functions of the job and the configuration.

No secret is in the pod's text: scripts bring the job's variables in, and what a service needs of secret variables
is in the Secret, as are the registries' logins.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from shipline.runner.config import KubernetesConfig
from shipline.runner.job import Job
from shipline.runner.pod.agent import loop
from shipline.runner.pod.containers import build_container, helper_container, resources, service_container
from shipline.runner.pod.fields import Object, without_empty
from shipline.runner.pod.labels import Identity, annotations_of, labels_of
from shipline.runner.pod.patches import patched
from shipline.runner.pod.secret import hidden_environment, registry_logins, secret_of
from shipline.runner.pod.services import Service, services
from shipline.runner.sites import HOLD


class PodPlan(msgspec.Struct):
    """What is sent to the cluster for one job. `secret` is None where nothing secret is needed."""

    name: str
    namespace: str
    pod: Object
    secret: Object | None
    services: list[Service]
    scripts: str
    log: str
    key: str


def plan(job: Job, identity: Identity, namespace: str, suffix: str, attempt: int = 0) -> PodPlan:
    """The pod for a job. `suffix`: random letters for its name; `attempt` picks the pull policy to try."""
    config = job.config.kubernetes
    payload = job.payload
    project = payload.job_info.project_id
    name = f"runner-{identity.machine[:8]}-project-{project}-concurrent-{job.number}-{suffix}"
    scripts, logs = f"/scripts-{project}-{payload.id}", f"/logs-{project}-{payload.id}"
    log, key = f"{logs}/output.log", f"{payload.id}-{suffix}"
    beside = services(job)
    hidden = hidden_environment(beside, job)
    logins = registry_logins(job)
    secret_name = f"{name}-secrets"
    secret = secret_of(secret_name, hidden, logins, identity) if hidden or logins else None
    shared = [{"name": "scripts", "mountPath": scripts}, {"name": "logs", "mountPath": logs}]
    builds = _builds_mount(job)
    volumes = config.volumes.all()
    everywhere = [builds, *(each for mount in volumes if (each := mount.mount(mount.name)) != builds)]
    containers = [
        build_container(job, [*everywhere, *shared], loop("build", scripts, log, key), attempt),
        helper_container(config, [*everywhere, *shared], loop("helper", scripts, log, key)),
        *(service_container(service, config, everywhere, hidden, secret_name, attempt) for service in beside),
    ]
    sources = {mount.name: {"name": mount.name} | mount.source() for mount in volumes}
    for own in ("repo", "scripts", "logs"):
        if own != "repo" or builds["name"] == "repo":
            sources.setdefault(own, {"name": own, "emptyDir": {}})
    pull = [*({"name": each} for each in config.image_pull_secrets), *([{"name": secret_name}] if logins else [])]
    spec = {
        "containers": containers,
        "volumes": list(sources.values()),
        "imagePullSecrets": pull,
        "hostAliases": _host_names(beside, config),
        **_settings(job),
    }
    about = {"name": name, "labels": labels_of(job, identity, name), "annotations": annotations_of(job)}
    body = patched(without_empty(spec), config.pod_spec)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": body}
    return PodPlan(name, namespace, pod, secret, beside, scripts, log, key)


def _host_names(beside: list[Service], config: KubernetesConfig) -> list[Object]:
    """All services are in the pod itself; the rest is as the runner's configuration says."""
    names = [alias for service in beside for alias in service.aliases]
    own = ({"ip": entry.ip, "hostnames": entry.hostnames} for entry in config.host_aliases)
    return [entry for entry in ({"ip": "127.0.0.1", "hostnames": names}, *own) if entry["hostnames"]]


def _settings(job: Job) -> Object:
    """What the runner's configuration says of the pod as a whole."""
    config = job.config.kubernetes
    return {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": _deadline(job),
        "terminationGracePeriodSeconds": config.pod_termination_grace_period_seconds,
        "enableServiceLinks": False,
        "serviceAccountName": config.service_account,
        "automountServiceAccountToken": config.automount_service_account_token,
        "nodeSelector": config.node_selector,
        "affinity": _camel(config.affinity),
        "resources": resources(config, "pod_"),
        "securityContext": config.pod_security_context.spec(),
        "tolerations": [_toleration(name, effect) for name, effect in config.node_tolerations.items()],
        "priorityClassName": config.priority_class_name,
        "runtimeClassName": config.runtime_class_name,
        "schedulerName": config.scheduler_name,
        "dnsPolicy": {"cluster-first": "ClusterFirst", "none": "None", "default": "Default"}.get(
            config.dns_policy, config.dns_policy
        ),
        "dnsConfig": msgspec.to_builtins(config.dns_config) if config.dns_config else None,
    }


def _deadline(job: Job) -> int:
    """The job's timeout, which the runner keeps itself; a failed job's pod may be held longer."""
    timeout = job.payload.runner_info.timeout
    return (timeout if timeout > 0 else 7200) + 1 + (HOLD if job.config.keep_failed else 0)


def _toleration(name: str, effect: str) -> Object:
    """`"key=value" = "effect"`, `"key" = "effect"`; an empty effect means all."""
    key, equals, value = name.partition("=")
    toleration: Object = {"key": key, "operator": "Equal" if equals else "Exists", "value": value, "effect": effect}
    return without_empty(toleration)


def _camel(value: Any) -> Any:
    """gitlab-runner's names as Kubernetes writes them; what stands in `match_labels` is the user's own."""
    if isinstance(value, list):
        return [_camel(each) for each in value]
    if not isinstance(value, dict):
        return value
    named = {re.sub(r"_([a-z])", lambda found: found[1].upper(), key): each for key, each in value.items()}
    return {key: each if key == "matchLabels" else _camel(each) for key, each in named.items()}


def _builds_mount(job: Job) -> Object:
    """`repo`, unless the configuration mounts a volume there itself."""
    builds = job.places.builds
    for mount in job.config.kubernetes.volumes.all():
        if builds == mount.mount_path or builds.startswith(mount.mount_path.rstrip("/") + "/"):
            return mount.mount(mount.name)
    return {"name": "repo", "mountPath": builds}
