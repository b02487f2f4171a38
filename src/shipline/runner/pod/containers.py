"""The containers of a job's pod: build, helper and services."""

from __future__ import annotations

import fnmatch
import re

import msgspec

from shipline.runner.config import KubernetesConfig
from shipline.runner.errors import JobFailed
from shipline.runner.job import Job
from shipline.runner.pod.fields import Object, without_empty
from shipline.runner.pod.image_names import image_name
from shipline.runner.pod.overwrites import service_resources
from shipline.runner.pod.services import Service
from shipline.runner.security import ContainerSecurityContext

POLICIES = {"always": "Always", "if-not-present": "IfNotPresent", "never": "Never"}


def image_of(job: Job) -> str:
    """The build container's image. JobFailed when the job names none, or one that isn't allowed."""
    config = job.config.kubernetes
    name = image_name(job.payload.image.name if job.payload.image else config.image, job.variables)
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
    if patterns and not any(fnmatch.fnmatchcase(image, pattern) for pattern in patterns):
        raise JobFailed(
            f"the image {image} is not one that the runner's {key} allow: {', '.join(patterns)}",
            "runner_configuration_error",
        )


SHELLS = frozenset(("sh", "ash", "bash", "dash", "ksh", "zsh"))
_TEXT_FOLLOWS = re.compile(r"-[a-z]*c")
"""What a shell is given before a text to run: `-c`, `-ec`."""


def build_container(job: Job, mounts: list[Object], command: list[str], attempt: int) -> Object:
    config = job.config.kubernetes
    image = job.payload.image
    policies = pull_policies(config, image.pull_policy if image else None)
    entrypoint = [word for word in (image.entrypoint if image else None) or [] if word]
    container = {
        "name": "build",
        "image": image_of(job),
        **_started(entrypoint, command),
        "volumeMounts": mounts,
        "resources": resources(config, ""),
        "securityContext": _security(config, config.build_container_security_context, _user(job)),
        "imagePullPolicy": _policy(policies, attempt),
    }
    return without_empty(container)


def _started(entrypoint: list[str], command: list[str]) -> Object:
    """How the container starts with `command`, a shell's: through the entrypoint, unless that could not start it.
    One that ends in a shell's `-c` gets the text; one with a text of its own has to go on to what follows."""
    if not entrypoint:
        return {"command": command}
    if SHELLS.isdisjoint(word.rpartition("/")[2] for word in entrypoint):
        return {"command": entrypoint, "args": command}
    if _TEXT_FOLLOWS.fullmatch(entrypoint[-1]):
        return {"command": entrypoint, "args": command[-1:]}
    own_text = any(_TEXT_FOLLOWS.fullmatch(word) for word in entrypoint)
    if own_text and not any("$@" in word or "$*" in word for word in entrypoint):
        return {"command": command}
    return {"command": entrypoint, "args": command}


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


def helper_container(config: KubernetesConfig, mounts: list[Object], command: list[str]) -> Object:
    container = {
        "name": "helper",
        "image": config.helper_image,
        "command": command,
        "volumeMounts": mounts,
        "resources": resources(config, "helper_"),
        "securityContext": _security(
            msgspec.structs.replace(config, privileged=False), config.helper_container_security_context
        ),
        "imagePullPolicy": "IfNotPresent",
    }
    return without_empty(container)


def service_container(
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
        "resources": resources(service_resources(config, service.environment), "service_"),
        "securityContext": _security(config, config.service_container_security_context),
        "readinessProbe": probe,
        "imagePullPolicy": _policy(pull_policies(config, service.pull_policy), attempt),
    }
    return without_empty(container)


def _literal(text: str) -> str:
    """Kubernetes expands $(NAME) and $$ in commands and values; GitLab's jobs don't expect it to."""
    return text.replace("$", "$$")


def _policy(policies: list[str], attempt: int) -> str:
    return POLICIES.get(policies[min(attempt, len(policies) - 1)], "")


def _security(config: KubernetesConfig, own: ContainerSecurityContext, user: Object | None = None) -> Object:
    """What all containers are told, the container's own over it, and the job's user over both."""
    added = {
        "add": [*config.cap_add, *own.capabilities.add],
        "drop": [*config.cap_drop, *own.capabilities.drop],
    }
    context: Object = {
        "privileged": config.privileged or None,
        "allowPrivilegeEscalation": config.allow_privilege_escalation,
        "capabilities": without_empty(added),
    }
    return without_empty(context | own.spec() | (user or {}))


def resources(config: KubernetesConfig, prefix: str) -> Object:
    """Limits and requests by the keys that begin so: "" is the build container, "pod_" all together."""
    found: Object = {}
    for kind in ("limit", "request"):
        for resource in ("cpu", "memory", "ephemeral_storage"):
            if value := getattr(config, f"{prefix}{resource}_{kind}", ""):
                found.setdefault(f"{kind}s", {})[resource.replace("_", "-")] = value
    return found
