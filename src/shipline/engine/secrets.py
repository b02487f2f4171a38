"""secrets: what a runner has to know to ask a store for a job's secrets, in GitLab's form.

The variables VAULT_SERVER_URL, VAULT_AUTH_ROLE, VAULT_AUTH_PATH and VAULT_NAMESPACE say which Vault, and as whom.
"""

from __future__ import annotations

from typing import Any

from shipline.engine.errors import EngineError
from shipline.language.pipeline import Job
from shipline.protocol.payload import Secret, Variable, VaultAuth, VaultEngine, VaultSecret, VaultServer

ENGINE = "kv-v2"
"""What `vault: path/field@where` names, engine and path."""


def secrets_of(job: Job, variables: list[Variable]) -> dict[str, Secret]:
    """The payload's `secrets`. Raises EngineError where something that they need is not said."""
    written: dict[str, dict[str, Any]] = job.extra.get("secrets") or {}
    if not written:
        return {}
    values = {variable.key: variable.value for variable in variables}
    if not values.get("VAULT_SERVER_URL"):
        raise EngineError(
            "The secrets provider can not be found: `secrets` needs the variable VAULT_SERVER_URL (and mostly "
            "VAULT_AUTH_ROLE). Check your CI/CD variables and try again."
        )
    return {
        name: Secret(_vault(job, name, one, values), file=one.get("file", True)) for name, one in written.items()
    }


def _vault(job: Job, name: str, written: dict[str, Any], values: dict[str, str]) -> VaultSecret:
    tokens = list(job.extra.get("id_tokens") or ())
    token = written.get("token") or (f"${tokens[0]}" if tokens else "")
    if not token:
        raise EngineError(f"secret '{name}': the job has no `id_tokens` to log in to Vault with.")
    data = {"jwt": token}
    if role := values.get("VAULT_AUTH_ROLE"):
        data["role"] = role
    server = VaultServer(
        url=values["VAULT_SERVER_URL"],
        namespace=values.get("VAULT_NAMESPACE", ""),
        auth=VaultAuth(path=values.get("VAULT_AUTH_PATH") or "jwt", data=data),
    )
    place = _parsed(written["vault"])
    return VaultSecret(server, VaultEngine(**place["engine"]), place["path"], place["field"])


def _parsed(vault: str | dict[str, Any]) -> dict[str, Any]:
    """Where a secret is: `production/db/password@ops` is the field `password` of `production/db` in the engine
    `ops`."""
    if isinstance(vault, dict):
        return vault
    place, _, engine = vault.partition("@")
    path, _, field = place.rpartition("/")
    return {"engine": {"name": ENGINE, "path": engine or ENGINE}, "path": path, "field": field}
