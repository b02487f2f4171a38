"""Service account tokens: signed statements of who a pod is (JWT, ES256).

A token is good as long as its time runs, its service account lives, and the pod or secret it is bound to lives.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipline.cluster.api.call import User

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

Json = dict[str, Any]
Lookup = Callable[[str, str | None, str], Json | None]

ISSUER = "https://kubernetes.default.svc"
AUDIENCE = ISSUER
LASTING_ISSUER = "kubernetes/serviceaccount"  # Of tokens that live as long as the Secret that holds them.
_COORDINATE = 32  # Bytes of one number of a P-256 signature.


class TokenKey:
    """Signs and verifies with the key at `path`, which is read at first use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loaded: EllipticCurvePrivateKey | None = None

    def _key(self) -> EllipticCurvePrivateKey:
        if self._loaded is None:
            from cryptography.hazmat.primitives.serialization import load_pem_private_key

            self._loaded = load_pem_private_key(self._path.read_bytes(), None)  # type: ignore[assignment]
        assert self._loaded is not None
        return self._loaded

    def sign(self, claims: Json) -> str:
        """The token that states `claims`."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        head = {"alg": "ES256", "kid": self.key_id()}
        text = f"{_encode(_compact(head))}.{_encode(_compact(claims))}"
        r, s = decode_dss_signature(self._key().sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")
        return f"{text}.{_encode(signature)}"

    def verify(self, token: str) -> Json | None:
        """The claims of a token that this key signed and whose time runs, or that has no end; None otherwise."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

        try:
            head, body, signature = token.split(".")
            raw = _decode(signature)
            if json.loads(_decode(head)).get("alg") != "ES256" or len(raw) != 2 * _COORDINATE:
                return None
            r, s = (int.from_bytes(part, "big") for part in (raw[:_COORDINATE], raw[_COORDINATE:]))
            signed = f"{head}.{body}".encode()
            self._key().public_key().verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
            claims: Json = json.loads(_decode(body))
        except (ValueError, AttributeError, InvalidSignature):
            return None
        now = time.time()
        if "exp" not in claims:
            return claims if claims.get("iss") == LASTING_ISSUER else None
        return claims if claims.get("nbf", 0) <= now + 5 and now < claims["exp"] else None

    def key_id(self) -> str:
        """A name for the public key: its hash."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = self._key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return _encode(hashlib.sha256(public).digest())

    def public_numbers(self) -> tuple[str, str]:
        """The public point's coordinates, as a JSON Web Key has them."""
        numbers = self._key().public_key().public_numbers()
        return _encode(numbers.x.to_bytes(_COORDINATE, "big")), _encode(numbers.y.to_bytes(_COORDINATE, "big"))


def claims_for(account: Json, audiences: list[str], seconds: int, bound: Json | None) -> Json:
    """What a token of a ServiceAccount says. `bound` is a Pod, Secret or Node that it dies with."""
    metadata = account["metadata"]
    now = int(time.time())
    kubernetes: Json = {
        "namespace": metadata["namespace"],
        "serviceaccount": {"name": metadata["name"], "uid": metadata["uid"]},
    }
    if bound is not None:
        of = bound["metadata"]
        kubernetes[bound["kind"].lower()] = {"name": of["name"], "uid": of["uid"]}
        node = bound.get("spec", {}).get("nodeName") if bound["kind"] == "Pod" else None
        if node:
            kubernetes["node"] = {"name": node}
    return {
        "aud": audiences or [AUDIENCE],
        "exp": now + seconds,
        "iat": now,
        "iss": ISSUER,
        "jti": str(uuid.uuid4()),
        "kubernetes.io": dict(sorted(kubernetes.items())),
        "nbf": now,
        "sub": f"system:serviceaccount:{metadata['namespace']}:{metadata['name']}",
    }


def user_of(claims: Json, look_up: Lookup) -> User | None:
    """Whom verified claims name; None when the account or what the token is bound to has gone."""
    kubernetes = claims.get("kubernetes.io", {})
    namespace, named = kubernetes.get("namespace", ""), kubernetes.get("serviceaccount", {})
    if not _lives(look_up("serviceaccounts", namespace, named.get("name", "")), named):
        return None
    extra = {"authentication.kubernetes.io/credential-id": [f"JTI={claims.get('jti')}"]}
    for kind in ("pod", "secret"):
        bound = kubernetes.get(kind)
        if bound is not None and not _lives(look_up(f"{kind}s", namespace, bound["name"]), bound):
            return None
    if "pod" in kubernetes:
        extra["authentication.kubernetes.io/pod-name"] = [kubernetes["pod"]["name"]]
        extra["authentication.kubernetes.io/pod-uid"] = [kubernetes["pod"]["uid"]]
    if "node" in kubernetes:
        extra["authentication.kubernetes.io/node-name"] = [kubernetes["node"]["name"]]
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(claims["sub"], groups, named["uid"], dict(sorted(extra.items())))


def _lives(obj: Json | None, named: Json) -> bool:
    return obj is not None and bool(obj["metadata"]["uid"] == named.get("uid"))


def _compact(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
