"""The header that says who asks: a token as given, read from a file, or made by a credential plugin and kept until
it expires."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from shipline.runner.errors import RunnerError
from shipline.runner.kubernetes.kubeconfig import Access

FILE_AGE = 60.0  # seconds; Kubernetes renews mounted tokens long before they expire
EARLY = 60.0  # seconds before its end that a plugin's token is replaced


class Credentials:
    """`headers` before each request."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._token = access.token
        self._until = 0.0 if access.token_file or access.command else float("inf")
        self._renewing = asyncio.Lock()

    async def headers(self) -> dict[str, str]:
        if self._access.username:
            login = base64.b64encode(f"{self._access.username}:{self._access.password}".encode()).decode()
            return {"Authorization": f"Basic {login}"}
        if time.time() >= self._until:
            async with self._renewing:
                if time.time() >= self._until:
                    await self.renew()
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    async def renew(self) -> bool:
        """Fetches the token again; False when there is nothing to fetch it from."""
        if self._access.token_file:
            try:
                self._token = Path(self._access.token_file).read_text().strip()  # noqa: ASYNC240 - a small local file
            except OSError as error:
                raise RunnerError(f"{self._access.source}: token file: {error}") from None
            self._until = time.time() + FILE_AGE
            return True
        if self._access.command:
            status = await _ask_plugin(self._access.command, self._access.source)
            self._token = status.get("token", "")
            if status.get("clientCertificateData"):
                self._access.certificate = status["clientCertificateData"]
                self._access.key = status.get("clientKeyData", "")
            expires = status.get("expirationTimestamp")
            self._until = datetime.fromisoformat(expires).timestamp() - EARLY if expires else float("inf")
            return True
        return False


async def _ask_plugin(command: dict[str, Any], source: str) -> dict[str, Any]:
    version = command.get("apiVersion", "client.authentication.k8s.io/v1")
    request = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    environment = os.environ | {entry["name"]: entry["value"] for entry in command.get("env") or []}
    environment["KUBERNETES_EXEC_INFO"] = json.dumps(request)
    try:
        process = await asyncio.create_subprocess_exec(
            *(command["command"], *(command.get("args") or [])),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        hint = command.get("installHint", "")
        raise RunnerError(
            f"{source}: credential plugin {command['command']!r}: {error.strerror}. {hint}".strip()
        ) from None
    out, err = await process.communicate()
    if process.returncode:
        raise RunnerError(
            f"{source}: credential plugin {command['command']!r} failed: {err.decode(errors='replace').strip()}"
        )
    try:
        status: dict[str, Any] = json.loads(out)["status"]
    except (ValueError, KeyError, TypeError):
        raise RunnerError(f"{source}: credential plugin {command['command']!r} printed no ExecCredential") from None
    return status
