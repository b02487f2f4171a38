"""id_tokens: what a job is, signed, so that a secret store or a cloud can believe it.

The tokens are GitLab's: JSON Web Tokens, RS256, with its claims. Their issuer is the server's address, or for a
person's own pipelines an address that this machine may answer at. The key is made once and stays in a file for its
owner only; what checks a token needs the public half alone (`jwks`).
"""

from __future__ import annotations

import os
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipline.engine.errors import EngineError
from shipline.engine.live import Live
from shipline.engine.records import JobRecord
from shipline.engine.scopes import is_protected
from shipline.language.expansion import expand
from shipline.protocol.payload import Variable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

BITS = 2048
EARLY = 5
"""Seconds before now from which on a token holds: clocks differ."""
KEY_FILE = "id-token-key.pem"
ALGORITHM = "RS256"
FROM_VARIABLES = {
    "namespace_id": "CI_PROJECT_NAMESPACE_ID",
    "namespace_path": "CI_PROJECT_NAMESPACE",
    "project_id": "CI_PROJECT_ID",
    "project_path": "CI_PROJECT_PATH",
    "user_id": "GITLAB_USER_ID",
    "user_login": "GITLAB_USER_LOGIN",
    "user_email": "GITLAB_USER_EMAIL",
}
"""Claims that are what a variable of the job says."""


class Issuer:
    """Signs tokens with the key in the directory `home`, which is made when the first is signed. `url` is what the
    tokens name as their issuer."""

    def __init__(self, home: Path, url: str) -> None:
        self.path = home / KEY_FILE
        self.url = url

    @cached_property
    def key(self) -> RSAPrivateKey:
        """The private key. Raises EngineError when its file holds none."""
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        if not self.path.exists():
            self._make()
        try:
            key = load_pem_private_key(self.path.read_bytes(), None)
        except ValueError:
            key = None
        if not isinstance(key, RSAPrivateKey):
            raise EngineError(f"{self.path} is no RSA key: restore it, or delete it and a new one is made.")
        return key

    def _make(self) -> None:
        """Two processes may come here at once: the first one's key is kept, and no half of one is ever read."""
        from cryptography.hazmat.primitives import serialization as s
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
        text = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
        try:
            os.link(part, self.path)
        except FileExistsError:
            pass
        finally:
            part.unlink()

    @cached_property
    def public(self) -> dict[str, str]:
        """The public key as a JSON Web Key, named by its thumbprint (RFC 7638)."""
        import base64
        import hashlib
        import json

        from jwt.algorithms import RSAAlgorithm

        named = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        required = {name: str(named[name]) for name in ("e", "kty", "n")}
        thumbprint = hashlib.sha256(json.dumps(required, separators=(",", ":")).encode()).digest()
        kid = base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()
        return required | {"kid": kid, "use": "sig", "alg": ALGORITHM}

    def jwks(self) -> dict[str, Any]:
        """The keys that a token may be signed with."""
        return {"keys": [self.public]}

    def pem(self) -> str:
        """The public key as PEM."""
        from cryptography.hazmat.primitives import serialization as s

        public = self.key.public_key()
        return public.public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo).decode()

    def discovery(self) -> dict[str, Any]:
        """What `/.well-known/openid-configuration` answers."""
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/oauth/discovery/keys",
            "scopes_supported": ["openid"],
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "claims_supported": ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", *FROM_VARIABLES],
        }

    def sign(self, claims: dict[str, Any]) -> str:
        """A token with these claims."""
        import jwt

        return jwt.encode(claims, self.key, ALGORITHM, {"kid": self.public["kid"]})


def token_variables(
    issuer: Issuer | None, live: Live, job: JobRecord, variables: list[Variable], timeout: int, runner_id: int
) -> list[Variable]:
    """The variables that the job's `id_tokens` ask for: masked, and good for as long as the job may run."""
    asked = live.definitions[job.name].extra.get("id_tokens") or {}
    if not asked:
        return []
    if issuer is None:
        raise EngineError("`id_tokens`: this process has no key to sign tokens with.")
    import uuid

    values = {variable.key: variable.value for variable in variables}
    common = claims(live, job, values, timeout, runner_id)
    return [
        Variable(
            name,
            issuer.sign(
                {"iss": issuer.url, **common, "aud": audience(token["aud"], values), "jti": str(uuid.uuid4())}
            ),
            masked=True,
            raw=True,
        )
        for name, token in asked.items()
    ]


def audience(written: str | list[str], values: dict[str, str]) -> str | list[str]:
    """Whom a token is for, with variables replaced."""
    if isinstance(written, str):
        return expand(written, values, keep_undefined=True)
    return [expand(one, values, keep_undefined=True) for one in written]


def claims(live: Live, job: JobRecord, values: dict[str, str], timeout: int, runner_id: int) -> dict[str, Any]:
    """What every token of a job says of it. Numbers are texts, as GitLab has them, but for the runner's."""
    commit = live.record.commit
    now = int(time.time())
    kind = "tag" if commit.is_tag else "branch"
    path = f"refs/{'tags' if commit.is_tag else 'heads'}/{commit.ref}"
    said = {claim: values[name] for claim, name in FROM_VARIABLES.items() if values.get(name)}
    project = values.get("CI_PROJECT_PATH", "")
    found: dict[str, Any] = {
        "sub": f"project_path:{project}:ref_type:{kind}:ref:{commit.ref}",
        "iat": now,
        "nbf": now - EARLY,
        "exp": now + timeout,
        **said,
        **{f"job_{claim}": value for claim, value in said.items() if not claim.startswith("user_")},
        "pipeline_id": str(live.record.id),
        "pipeline_source": live.record.source,
        "job_id": str(job.id),
        "ref": commit.ref,
        "ref_type": kind,
        "ref_path": path,
        "ref_protected": str(is_protected(commit)).lower(),
        "runner_id": runner_id,
        "runner_environment": "self-hosted",
        "sha": commit.sha,
        "project_visibility": values.get("CI_PROJECT_VISIBILITY", "private"),
        "ci_config_ref_uri": values.get("CI_CONFIG_REF_URI", ""),
        "ci_config_sha": commit.sha,
    }
    if environment := values.get("CI_ENVIRONMENT_NAME"):
        found |= {
            "environment": environment,
            "environment_protected": "false",
            "deployment_tier": values.get("CI_ENVIRONMENT_TIER", "other"),
            "environment_action": values.get("CI_ENVIRONMENT_ACTION", "start"),
        }
    return found
