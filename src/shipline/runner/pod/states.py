"""What a pod's status means for its job: waiting and why, running, or over and whose fault it was. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from shipline.protocol.coordinator import FailureReason

Object = dict[str, Any]

PULLING = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError"}
MISTAKES = {
    "InvalidImageName",
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
}
NOT_STARTED = {"StartError", "ContainerCannotRun", "CreateContainerError", "RunContainerError"}
NOT_OURS = (
    "This container is none of the job's own: a webhook of the cluster (a service mesh, a policy) or pod_spec in "
    "[runners.kubernetes] put it into the pod."
)
NETWORK = re.compile(
    r"dial tcp|i/o timeout|connection (refused|reset)|no such host|TLS handshake|context "
    r"deadline|temporary failure",
    re.I,
)
REFUSED = re.compile(r"unauthorized|denied|forbidden|authentication required|no basic auth", re.I)
MISSING = re.compile(r"not found|manifest unknown|does not exist|name unknown|no such image", re.I)
NO_SHELL = re.compile(r"exec:? .*(no such file|not found)|executable file not found", re.I)


class Problem(msgspec.Struct):
    """Why the job can't go on. `pulling` is true where another pull policy may help."""

    message: str
    reason: FailureReason
    hint: str = ""
    pulling: bool = False
    exit_code: int | None = None


def container_status(pod: Object, container: str) -> Object:
    """The status of one container; empty before the kubelet gave one."""
    for status in pod.get("status", {}).get("containerStatuses") or []:
        if status["name"] == container:
            found: Object = status
            return found
    return {}


def was_started(pod: Object, container: str) -> bool:
    """True once the container ran, also when it has ended since."""
    state = container_status(pod, container).get("state", {})
    return "running" in state or "terminated" in state


def is_ready(pod: Object, container: str) -> bool:
    return bool(container_status(pod, container).get("ready"))


def phase(pod: Object) -> str:
    found: str = pod.get("status", {}).get("phase", "Pending")
    return found


def waiting_reasons(pod: Object) -> list[str]:
    """What the pod waits for, one line each: why it isn't scheduled, what each container waits for."""
    lines = []
    for condition in pod.get("status", {}).get("conditions") or []:
        if condition.get("status") == "False" and condition.get("type") == "PodScheduled":
            lines.append(f"{condition.get('reason', '')}: {condition.get('message', '')}")
    found = pod.get("status", {})
    for status in (*(found.get("initContainerStatuses") or []), *(found.get("containerStatuses") or [])):
        waiting = status.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            lines.append(f"container {status['name']}: {waiting['reason']}: {waiting.get('message', '')}")
    return [line.rstrip(": ") for line in lines]


def problem(pod: Object) -> Problem | None:
    """The first thing that stops the job, or None."""
    status = pod.get("status", {})
    where = f"pod {pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"
    for condition in status.get("conditions") or []:
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            return Problem(
                f"{where} is disrupted: {condition.get('reason', '')}: {condition.get('message', '')}",
                "runner_system_failure",
                "The cluster took the node or the pod away. Retry the job; a `retry:` for "
                "runner_system_failure does it.",
            )
    if status.get("reason") == "Evicted":
        told = status.get("message", "").strip()
        hint = "The node ran short. Give the job requests near to what it uses (memory_request, "
        hint += "ephemeral_storage_request)."
        if "exceeds the" in told and "limit" in told:
            hint = "The job wrote more than it may: raise ephemeral_storage_limit (or the volume's size_limit) in "
            hint += "[runners.kubernetes], or let it write less."
        return Problem(f"{where} was evicted: {told}", "runner_system_failure", hint)
    if status.get("reason") == "DeadlineExceeded":
        return Problem(f"{where} was ended by its deadline, the job's timeout", "job_execution_timeout")
    for found in _container_problems(pod, where):
        return found
    if phase(pod) == "Failed":
        detail = ": ".join(part for part in (status.get("reason", ""), status.get("message", "")) if part)
        return Problem(f"{where} failed{': ' + detail if detail else ''}", "runner_system_failure")
    if pod["metadata"].get("deletionTimestamp"):
        return Problem(
            f"{where} is being deleted by somebody else",
            "runner_system_failure",
            "A person, a drain of the node or a cleanup job deleted the job's pod while it ran.",
        )
    return None


def _container_problems(pod: Object, where: str) -> Iterator[Problem]:
    yield from _preparation_problems(pod, where)
    images = {container["name"]: container.get("image", "") for container in pod["spec"]["containers"]}
    for status in pod.get("status", {}).get("containerStatuses") or []:
        name, state = status["name"], status.get("state", {})
        image = images.get(name, status.get("image", ""))
        if waiting := state.get("waiting"):
            if found := _waiting(name, image, waiting.get("reason", ""), waiting.get("message", "")):
                yield found
        elif (ended := state.get("terminated")) and (
            name in ("build", "helper") or ended.get("reason") in NOT_STARTED
        ):
            yield _ended(name, image, where, ended)


def _preparation_problems(pod: Object, where: str) -> Iterator[Problem]:
    """Containers that were to prepare the pod: a job has none, others may have put them there."""
    images = {each["name"]: each.get("image", "") for each in pod["spec"].get("initContainers") or []}
    for status in pod.get("status", {}).get("initContainerStatuses") or []:
        name, waiting = status["name"], status.get("state", {}).get("waiting") or {}
        found = None
        if waiting.get("reason") != "CrashLoopBackOff":  # a sidecar, which is begun again
            found = _waiting(name, images.get(name, ""), waiting.get("reason", ""), waiting.get("message", ""))
        if found is not None:
            yield msgspec.structs.replace(found, hint=f"{NOT_OURS} {found.hint}", pulling=False)
    if name := failed_preparation(pod):
        ended = _preparation(pod, name)["state"]["terminated"]
        detail = f": {ended['message']}" if ended.get("message") else ""
        how = f"exit code: {ended.get('exitCode')}, reason: {ended.get('reason', '')!r}{detail}"
        yield Problem(
            f"init container {name} ({images.get(name, '')}) of {where} failed: {how}",
            "runner_system_failure",
            f"{NOT_OURS} Its last lines, if it wrote any, stand above.",
        )


def failed_preparation(pod: Object) -> str:
    """The init container for whose failure the pod cannot start; empty when none has failed."""
    restarted = [each["name"] for each in pod["spec"].get("initContainers") or [] if each.get("restartPolicy")]
    for status in pod.get("status", {}).get("initContainerStatuses") or []:
        ended = status.get("state", {}).get("terminated")
        if ended and ended.get("exitCode") and status["name"] not in restarted:
            return str(status["name"])
    return ""


def _preparation(pod: Object, name: str) -> Object:
    found: Object = next(each for each in pod["status"]["initContainerStatuses"] if each["name"] == name)
    return found


def _waiting(container: str, image: str, reason: str, message: str) -> Problem | None:
    if reason in PULLING:
        return pull_problem(container, image, reason, message)
    if reason == "InvalidImageName":
        return Problem(
            f"the image name {image!r} of container {container} is not valid{': ' if message else ''}{message}",
            "runner_configuration_error",
            "Image names are in small letters, with a tag after the last colon; an empty or unknown variable "
            "leaves a hole in them.",
        )
    if reason in MISTAKES:
        return _not_started(container, image, reason, message)
    return None


def pull_problem(container: str, image: str, reason: str, message: str) -> Problem:
    """An image that can't be had, by the kubelet's words."""
    if reason == "ErrImageNeverPull":
        kind: FailureReason = "runner_configuration_error"
        hint = "The pull policy is `never` and the node has no such image: load it there, or allow another policy."
    elif NETWORK.search(message):
        kind = "runner_external_dependency_failure"
        hint = "The node cannot reach the registry: check its name, the network and the proxy of the node."
    elif REFUSED.search(message):
        kind = "runner_configuration_error"
        hint = (
            "The registry wants a login, has no such repository, or this login may not read it: set "
            "DOCKER_AUTH_CONFIG or image_pull_secrets, and check the name."
        )
    elif MISSING.search(message):
        kind = "runner_configuration_error"
        hint = "There is no such image: check its name and tag."
    else:
        kind = "image_pull_failure"
        hint = "Check the image's name, the login and the registry."
    if container == "helper":
        hint = (
            "Set helper_image in [runners.kubernetes] to an image with sh and git that the cluster can pull. "
            + hint
        )
    text = f"image pull failed: {image} (container {container}): {message or reason}"
    return Problem(text, kind, hint, pulling=container != "helper")


def _not_started(container: str, image: str, reason: str, message: str) -> Problem:
    hint = ""
    if NO_SHELL.search(message) and container.startswith("svc-"):
        hint = (
            f"The image {image} does not have what the service is started with: correct its `entrypoint` or "
            "`command`, or leave them out."
        )
    elif NO_SHELL.search(message):
        hint = (
            f"The image {image} has no shell (or not the entrypoint asked for): use one with sh, "
            f'or set `entrypoint: [""]`.'
        )
    elif "secret" in message or "configmap" in message:
        hint = (
            "The runner's configuration mounts something that is not in the namespace: make it there, or remove it."
        )
    return Problem(
        f"container {container} ({image}) cannot start: {reason}: {message}", "runner_configuration_error", hint
    )


def _ended(container: str, image: str, where: str, ended: Object) -> Problem:
    code, reason = ended.get("exitCode", 0), ended.get("reason", "")
    if reason == "OOMKilled":
        limit = "memory_limit" if container == "build" else f"{container}_memory_limit"
        return Problem(
            f"container {container} of {where} ran out of memory: exit code: {code}, reason: 'OOMKilled'",
            "runner_system_failure",
            f"Raise {limit} in the runner's configuration, or let the job use less (fewer parallel processes).",
            exit_code=code,
        )
    if reason in NOT_STARTED:
        return _not_started(container, image, reason, ended.get("message", ""))
    detail = f": {ended['message']}" if ended.get("message") else ""
    return Problem(
        f"container {container} of {where} ended by itself: exit code: {code}, reason: {reason!r}{detail}",
        "runner_system_failure",
        'The image\'s entrypoint may not run the command that it is given: set `entrypoint: [""]`.',
        exit_code=code or None,
    )
