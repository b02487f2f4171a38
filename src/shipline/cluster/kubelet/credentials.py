"""Who to be at a registry: the credentials in a pod's pull secrets."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.kubelet.reference import DEFAULT_REGISTRY, Reference

Json = dict[str, Any]


def of_pod(api: Api, pod: Json) -> tuple[list[Json], list[str]]:
    """The pull secrets of a pod, and the names of those that aren't there."""
    found, missing = [], []
    for reference in pod["spec"].get("imagePullSecrets") or []:
        name = reference.get("name", "")
        try:
            found.append(api.get("secrets", pod["metadata"]["namespace"], name))
        except ApiError:
            missing.append(name)
    return found, missing


def matching(secrets: Iterable[Json], image: Reference) -> list[Json]:
    """Credentials (username, password) for an image, the most specific first, without repetition."""
    scored = []
    for secret in secrets:
        for server, credential in _servers(secret):
            host, _, path = _host_and_path(server)
            if fnmatchcase(image.registry, host) and f"{image.path}/".startswith(f"{path}/" if path else ""):
                scored.append((len(path), credential))
    scored.sort(key=lambda one: -one[0])
    credentials: list[Json] = []
    for _, credential in scored:
        if credential not in credentials:
            credentials.append(credential)
    return credentials


def header(credential: Json, server: str) -> str:
    """The X-Registry-Auth header of the engine's API."""
    return base64.urlsafe_b64encode(json.dumps(credential | {"serveraddress": server}).encode()).decode()


def _servers(secret: Json) -> Iterator[tuple[str, Json]]:
    """(server, credential) of a `dockerconfigjson` or `dockercfg` secret; what cannot be read is no credential."""
    data = secret.get("data") or {}
    try:
        if encoded := data.get(".dockerconfigjson"):
            servers = json.loads(base64.b64decode(encoded)).get("auths") or {}
        elif encoded := data.get(".dockercfg"):
            servers = json.loads(base64.b64decode(encoded))
        else:
            return
        for server, entry in servers.items():
            yield server, _credential(entry)
    except (ValueError, AttributeError, KeyError):
        return


def _credential(entry: Json) -> Json:
    if entry.get("auth"):
        username, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        return {"username": username, "password": password}
    return {"username": entry.get("username", ""), "password": entry.get("password", "")}


def _host_and_path(server: str) -> tuple[str, str, str]:
    host, slash, path = server.removeprefix("https://").removeprefix("http://").rstrip("/").partition("/")
    if host in ("index.docker.io", "registry-1.docker.io"):
        host = DEFAULT_REGISTRY
    return host, slash, "" if path in ("v1", "v2") else path
