"""The Secret beside a job's pod: logins of registries, and what services get of secret variables."""

from __future__ import annotations

import base64
import json

from shipline.runner.errors import JobFailed
from shipline.runner.job import Job
from shipline.runner.pod.fields import Object
from shipline.runner.pod.labels import MACHINE_LABEL, PROCESS_LABEL, Identity
from shipline.runner.pod.services import Service


def hidden_environment(beside: list[Service], job: Job) -> dict[str, str]:
    """`container.NAME` -> value, for what services get of secret values."""
    secrets = [secret for secret in job.secrets() | job.variables.private() if secret]
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


def secret_of(name: str, hidden: dict[str, str], logins: dict[str, Object], identity: Identity) -> Object:
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
