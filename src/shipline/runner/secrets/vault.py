"""HashiCorp Vault (and OpenBao) over its HTTP API: a log-in with the job's ID token, then one read.

Engines: `kv-v2` (data below `<path>/data/`), `kv-v1` and `generic` (data at `<path>/`). A redirect is not followed,
since the token would go with it to wherever it leads.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shipline.protocol.payload import VaultSecret
from shipline.runner.errors import JobFailed
from shipline.runner.variables import Variables

if TYPE_CHECKING:
    import ssl

    import aiohttp

TIMEOUT = 60
LARGEST = 4 << 20
ENGINES = {"kv-v2": "data/", "kv-v1": "", "generic": ""}
"""By engine: what stands between its path and the secret's."""


async def read(name: str, secret: VaultSecret, variables: Variables) -> str:
    """The value of the secret called `name`. Raises JobFailed, which says what Vault said."""
    import aiohttp

    expand = variables.expand
    server, engine = secret.server, secret.engine
    url = expand(server.url).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise _failed(name, "VAULT_SERVER_URL must be the address of a Vault, with http:// or https://", "")
    if engine.name not in ENGINES:
        raise _failed(name, f"the engine {engine.name} is none of {', '.join(ENGINES)}", "")
    namespace = expand(server.namespace)
    headers = {"X-Vault-Request": "true"} | ({"X-Vault-Namespace": namespace} if namespace else {})
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    connector = aiohttp.TCPConnector(ssl=_trust(name))
    async with aiohttp.ClientSession(
        headers=headers, timeout=timeout, trust_env=True, connector=connector
    ) as session:
        data = {key: expand(value) for key, value in server.auth.data.items()}
        if not data.get("jwt"):
            raise _failed(name, "there is no ID token to log in with: give the job `id_tokens`", url)
        login = f"{url}/v1/auth/{_path(expand(server.auth.path))}/login"
        answer = await _ask(session, name, "PUT", login, json=data)
        token = _at(answer, "auth", "client_token")
        if not isinstance(token, str):
            raise _failed(name, "the log-in brought no token", url)
        place = f"{_path(expand(engine.path))}/{ENGINES[engine.name]}{_path(expand(secret.path))}"
        answer = await _ask(session, name, "GET", f"{url}/v1/{place}", headers={"X-Vault-Token": token})
    values = _at(answer, "data", "data") if engine.name == "kv-v2" else _at(answer, "data")
    field = expand(secret.field)
    if not isinstance(values, dict) or values.get(field) is None:
        raise _failed(name, f"{place} has no field '{field}'", url)
    value = values[field]
    return value if isinstance(value, str) else json.dumps(value)


def _trust(name: str) -> ssl.SSLContext | bool:
    """Whom to believe to be the Vault: what Vault's own variables say of the runner's environment, else whom this
    machine trusts. Raises JobFailed for a file that is none."""
    file, folder = (os.environ.get(key) or None for key in ("VAULT_CACERT", "VAULT_CAPATH"))
    if os.environ.get("VAULT_SKIP_VERIFY", "").lower() in ("1", "t", "true"):
        return False
    if not file and not folder:
        return True
    import ssl

    try:
        return ssl.create_default_context(cafile=file, capath=folder)
    except (OSError, ValueError) as error:
        raise _failed(name, f"VAULT_CACERT or VAULT_CAPATH cannot be used: {error}", "") from None


async def _ask(session: aiohttp.ClientSession, name: str, method: str, url: str, **options: Any) -> Any:
    """The JSON that Vault answers."""
    import aiohttp

    try:
        async with session.request(method, url, allow_redirects=False, **options) as response:
            body = await response.content.read(LARGEST)
            status, location = response.status, response.headers.get("Location", "")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _failed(name, f"Vault does not answer: {type(error).__name__}: {error}", url) from None
    except TimeoutError:
        raise _failed(name, f"Vault has not answered within {TIMEOUT} s", url) from None
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if status == 200 and isinstance(answer, dict):
        return answer
    if 300 <= status < 400:
        raise _failed(name, f"Vault redirects to {location}: name that server in VAULT_SERVER_URL", url)
    errors = answer.get("errors") if isinstance(answer, dict) else None
    said = "no such secret" if status == 404 else "no reason given"
    if errors:
        said = " ".join("; ".join(map(str, errors)).split())
    raise _failed(name, f"Vault answered {status}: {said}", url)


def _failed(name: str, why: str, url: str) -> JobFailed:
    at = f" ({url})" if url else ""
    return JobFailed(f'resolving secret "{name}": {why}{at}', "runner_system_failure")


def _at(answer: Any, *keys: str) -> Any:
    for key in keys:
        answer = answer.get(key) if isinstance(answer, dict) else None
    return answer


def _path(text: str) -> str:
    return quote(text.strip("/"))
