"""The pod of a job, and the Secret beside it: pure functions of the job and the configuration.

No secret is in the pod's text: scripts bring the job's variables in, and what a service needs of secret variables
is in the Secret, as are the registries' logins.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import msgspec

from shipline.runner.config import KubernetesConfig
from shipline.runner.errors import JobFailed
from shipline.runner.job import Job
from shipline.runner.pod.agent import loop
from shipline.runner.pod.services import Service, services

Object = dict[str, Any]

MACHINE_LABEL = "manager.shipline.dev/machine"
PROCESS_LABEL = "manager.shipline.dev/process"
POLICIES = {"always": "Always", "if-not-present": "IfNotPresent", "never": "Never"}


class Identity(msgspec.Struct):
    """Who made a pod: the machine (with its user), and the process on it."""

    machine: str
    process: str


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


def plan(job: Job, identity: Identity, suffix: str, attempt: int = 0) -> PodPlan:
    """The pod for a job. `suffix`: random letters for its name; `attempt` picks the pull policy to try."""
    config = job.config.kubernetes
    payload = job.payload
    project = payload.job_info.project_id
    name = f"runner-{identity.machine[:8]}-project-{project}-concurrent-{job.number}-{suffix}"
    scripts, logs = f"/scripts-{project}-{payload.id}", f"/logs-{project}-{payload.id}"
    log, key = f"{logs}/output.log", f"{payload.id}-{suffix}"
    beside = services(job)
    hidden = _hidden_environment(beside, job)
    logins = registry_logins(job)
    secret_name = f"{name}-secrets"
    secret = _secret(secret_name, hidden, logins, identity) if hidden or logins else None
    shared = [{"name": "scripts", "mountPath": scripts}, {"name": "logs", "mountPath": logs}]
    builds = _builds_mount(job)
    volumes = config.volumes.all()
    everywhere = [builds, *(mount.mount(mount.name) for mount in volumes)]
    containers = [
        _build(job, [*everywhere, *shared], loop("build", scripts, log, key), attempt),
        _helper(config, [*everywhere, *shared], loop("helper", scripts, log, key)),
        *(_service(service, config, everywhere, hidden, secret_name, attempt) for service in beside),
    ]
    names = [{"ip": "127.0.0.1", "hostnames": [alias for service in beside for alias in service.aliases]}]
    own_names = [{"ip": entry.ip, "hostnames": entry.hostnames} for entry in config.host_aliases]
    pull = [*({"name": each} for each in config.image_pull_secrets), *([{"name": secret_name}] if logins else [])]
    sources = {mount.name: {"name": mount.name} | mount.source() for mount in volumes}
    for own in ("repo", "scripts", "logs"):
        if own != "repo" or builds["name"] == "repo":
            sources.setdefault(own, {"name": own, "emptyDir": {}})
    spec: Object = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": (payload.runner_info.timeout if payload.runner_info.timeout > 0 else 7200) + 1,
        "terminationGracePeriodSeconds": config.pod_termination_grace_period_seconds,
        "enableServiceLinks": False,
        "containers": containers,
        "volumes": list(sources.values()),
        "imagePullSecrets": pull,
        "hostAliases": [entry for entry in (*names, *own_names) if entry["hostnames"]],
        "serviceAccountName": config.service_account,
        "automountServiceAccountToken": config.automount_service_account_token,
        "nodeSelector": config.node_selector,
        "tolerations": [_toleration(name, effect) for name, effect in config.node_tolerations.items()],
        "priorityClassName": config.priority_class_name,
        "runtimeClassName": config.runtime_class_name,
        "schedulerName": config.scheduler_name,
        "dnsPolicy": {"cluster-first": "ClusterFirst", "none": "None", "default": "Default"}.get(
            config.dns_policy, config.dns_policy
        ),
        "dnsConfig": msgspec.to_builtins(config.dns_config) if config.dns_config else None,
    }
    metadata = {
        "name": name,
        "labels": _labels(job, identity, name),
        "annotations": _annotations(job),
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": _without_empty(spec)}
    return PodPlan(name, config.namespace, pod, secret, beside, scripts, log, key)


def image_of(job: Job) -> str:
    """The build container's image. JobFailed when the job names none, or one that isn't allowed."""
    config = job.config.kubernetes
    name = job.variables.expand(job.payload.image.name if job.payload.image else config.image)
    if not name:
        raise JobFailed(
            "the job names no image and the runner has no default one: add `image:` to the job",
            "runner_configuration_error",
        )
    _allowed(name, config.allowed_images, "allowed_images")
    return name


def pull_policies(config: KubernetesConfig, wanted: list[str] | None) -> list[str]:
    """The policies to try, one after the other; "" leaves it to the cluster. JobFailed for a forbidden one."""
    configured = [config.pull_policy] if isinstance(config.pull_policy, str) else config.pull_policy
    allowed = config.allowed_pull_policies or [each for each in configured if each] or list(POLICIES)
    chosen = wanted or [each for each in configured if each]
    for policy in chosen:
        if policy not in POLICIES:
            raise JobFailed(
                f"unknown pull policy {policy!r}: use one of {', '.join(POLICIES)}", "runner_configuration_error"
            )
        if policy not in allowed:
            raise JobFailed(
                f"the pull policy {policy!r} is not one of allowed_pull_policies: {', '.join(allowed)}",
                "runner_configuration_error",
            )
    return chosen or [""]


def _allowed(image: str, patterns: list[str], key: str) -> None:
    import fnmatch

    if patterns and not any(fnmatch.fnmatchcase(image, pattern) for pattern in patterns):
        raise JobFailed(
            f"the image {image} is not one that the runner's {key} allow: {', '.join(patterns)}",
            "runner_configuration_error",
        )


def _build(job: Job, mounts: list[Object], command: list[str], attempt: int) -> Object:
    config = job.config.kubernetes
    image = job.payload.image
    policies = pull_policies(config, image.pull_policy if image else None)
    entrypoint = [word for word in (image.entrypoint if image else None) or [] if word]
    started = {"command": entrypoint, "args": command} if entrypoint else {"command": command}
    container = {
        "name": "build",
        "image": image_of(job),
        **started,
        "volumeMounts": mounts,
        "resources": _resources(config, ""),
        "securityContext": _security(config, _user(job)),
        "imagePullPolicy": _policy(policies, attempt),
    }
    return _without_empty(container)


def _user(job: Job) -> Object:
    """`image: kubernetes: user:` as uid, or uid:gid."""
    options = job.payload.image.executor_opts.get("kubernetes") if job.payload.image else None
    text = str((options or {}).get("user") or "")
    if not text:
        return {}
    uid, _, gid = text.partition(":")
    if not uid.isdigit() or (gid and not gid.isdigit()):
        raise JobFailed(f"image:kubernetes:user {text!r} is not uid or uid:gid", "runner_configuration_error")
    return {"runAsUser": int(uid)} | ({"runAsGroup": int(gid)} if gid else {})


def _helper(config: KubernetesConfig, mounts: list[Object], command: list[str]) -> Object:
    container = {
        "name": "helper",
        "image": config.helper_image,
        "command": command,
        "volumeMounts": mounts,
        "resources": _resources(config, "helper_"),
        "imagePullPolicy": "IfNotPresent",
    }
    return _without_empty(container)


def _service(
    service: Service,
    config: KubernetesConfig,
    mounts: list[Object],
    hidden: dict[str, str],
    secret: str,
    attempt: int,
) -> Object:
    _allowed(service.image, config.allowed_services, "allowed_services")
    environment: list[Object] = []
    for name, value in service.environment.items():
        key = f"{service.container}.{name}"
        if key in hidden:
            environment.append({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
        else:
            environment.append({"name": name, "value": _literal(value)})
    # a probe rather than a question now and then: the kubelet tells of it by the watch
    probe = (
        {"tcpSocket": {"port": service.port}, "periodSeconds": 1, "failureThreshold": 1} if service.port else None
    )
    container = {
        "name": service.container,
        "image": service.image,
        "command": [_literal(word) for word in service.entrypoint],
        "args": [_literal(word) for word in service.command],
        "env": environment,
        "volumeMounts": mounts,
        "resources": _resources(config, "service_"),
        "securityContext": _security(config, {}),
        "readinessProbe": probe,
        "imagePullPolicy": _policy(pull_policies(config, service.pull_policy), attempt),
    }
    return _without_empty(container)


def _literal(text: str) -> str:
    """Kubernetes expands $(NAME) and $$ in commands and values; GitLab's jobs don't expect it to."""
    return text.replace("$", "$$")


def _policy(policies: list[str], attempt: int) -> str:
    return POLICIES.get(policies[min(attempt, len(policies) - 1)], "")


def _security(config: KubernetesConfig, user: Object) -> Object:
    added = {"add": config.cap_add, "drop": config.cap_drop}
    context: Object = {
        "privileged": config.privileged or None,
        "allowPrivilegeEscalation": config.allow_privilege_escalation,
        "capabilities": _without_empty(added),
    }
    return _without_empty(context | user)


def _resources(config: KubernetesConfig, prefix: str) -> Object:
    found: Object = {}
    for kind in ("limit", "request"):
        for resource in ("cpu", "memory", "ephemeral_storage"):
            if value := getattr(config, f"{prefix}{resource}_{kind}"):
                found.setdefault(f"{kind}s", {})[resource.replace("_", "-")] = value
    return found


def _builds_mount(job: Job) -> Object:
    """`repo`, unless the configuration mounts a volume there itself."""
    builds = job.places.builds
    for mount in job.config.kubernetes.volumes.all():
        if builds == mount.mount_path or builds.startswith(mount.mount_path.rstrip("/") + "/"):
            return mount.mount(mount.name)
    return {"name": "repo", "mountPath": builds}


def _toleration(name: str, effect: str) -> Object:
    """`"key=value" = "effect"`, `"key" = "effect"`; an empty effect means all."""
    key, equals, value = name.partition("=")
    toleration: Object = {"key": key, "operator": "Equal" if equals else "Exists", "value": value, "effect": effect}
    return _without_empty(toleration)


def _labels(job: Job, identity: Identity, pod: str) -> dict[str, str]:
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


def _annotations(job: Job) -> dict[str, str]:
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


def _hidden_environment(beside: list[Service], job: Job) -> dict[str, str]:
    """`container.NAME` -> value, for what services get of secret values."""
    secrets = [secret for secret in job.secrets() if secret]
    return {
        f"{service.container}.{name}": value
        for service in beside
        for name, value in service.environment.items()
        if any(secret in value for secret in secrets)
    }


def registry_logins(job: Job) -> dict[str, Object]:
    """Registry -> login, as Docker's configuration writes it: the job's credentials, DOCKER_AUTH_CONFIG over
    them."""
    logins: dict[str, Object] = {}
    for login in job.payload.credentials:
        if login.type == "registry":
            auth = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
            logins[login.url] = {"username": login.username, "password": login.password, "auth": auth}
    given = job.variables.text("DOCKER_AUTH_CONFIG")
    if given:
        try:
            logins |= json.loads(given).get("auths") or {}
        except (ValueError, AttributeError):
            raise JobFailed(
                'DOCKER_AUTH_CONFIG is not JSON of the form {"auths": {"registry": {"auth": "..."}}}',
                "runner_configuration_error",
            ) from None
    return logins


def _secret(name: str, hidden: dict[str, str], logins: dict[str, Object], identity: Identity) -> Object:
    data = dict(hidden)
    if logins:
        data[".dockerconfigjson"] = json.dumps({"auths": logins})
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson" if logins else "Opaque",
        "metadata": {
            "name": name,
            "labels": {MACHINE_LABEL: identity.machine, PROCESS_LABEL: identity.process},
        },
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def _without_empty(fields: Object) -> Object:
    return {key: value for key, value in fields.items() if value not in (None, "", [], {})}
