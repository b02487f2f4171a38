"""A test peer that answers as a HashiCorp Vault does: log-in with a JWT, and kv engines, over HTTP.

It checks tokens for real: signature by the issuer's key, issuer, audience, time, and the claims that a role is
bound to. Its answers are those that a Vault 1.21 gave to the same calls.
"""

from __future__ import annotations

import base64
import json
import secrets
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

Answer = tuple[int, dict[str, Any]]


class VaultPeer:
    """`jwks` are the keys that tokens may be signed with; `roles` maps a role to the claims that it is bound to;
    `certificate`: the files of a certificate and its key, for HTTPS;
    `stored` maps an engine's path (`kv-v2` in it: of the second version) to secrets by path."""

    def __init__(
        self, jwks: dict[str, Any], issuer: str, audience: str, certificate: tuple[str, str] | None = None
    ) -> None:
        self.jwks, self.issuer, self.audience = jwks, issuer, audience
        self.roles: dict[str, dict[str, str]] = {}
        self.stored: dict[str, dict[str, dict[str, Any]]] = {}
        self.namespaces: list[str | None] = []
        self.logins: list[str] = []
        self.claims: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                peer.logins.append(self.path.removeprefix("/v1/"))
                length = int(self.headers.get("Content-Length") or 0)
                self._answer(peer.log_in(json.loads(self.rfile.read(length))))

            def do_GET(self) -> None:
                peer.namespaces.append(self.headers.get("X-Vault-Namespace"))
                self._answer(peer.read(self.path.removeprefix("/v1/"), self.headers.get("X-Vault-Token", "")))

            def _answer(self, answer: Answer) -> None:
                body = json.dumps(answer[1]).encode()
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.server.server_port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def log_in(self, data: dict[str, Any]) -> Answer:
        role = data.get("role")
        if role not in self.roles:
            return 400, {"errors": [f'role "{role}" could not be found']}
        try:
            claims = verified(data["jwt"], self.jwks)
        except (InvalidSignature, ValueError, KeyError, StopIteration):
            return 400, {"errors": ["error validating token: error verifying token signature"]}
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if claims["iss"] != self.issuer or self.audience not in audiences:
            return 400, {"errors": ["error validating token: invalid issuer (iss) or audience (aud) claim"]}
        if not claims["nbf"] <= time.time() < claims["exp"]:
            return 400, {"errors": ["error validating token: expired"]}
        for claim, wanted in self.roles[role].items():
            if claims.get(claim) != wanted:
                return 400, {"errors": [f'error validating claims: claim "{claim}" does not match any bound claim']}
        self.claims.append(claims)
        token = f"hvs.{secrets.token_urlsafe(16)}"
        self.tokens.add(token)
        return 200, {"auth": {"client_token": token}}

    def read(self, path: str, token: str) -> Answer:
        if token not in self.tokens:
            return 403, {"errors": ["permission denied"]}
        for engine, stored in self.stored.items():
            below = f"{engine}/data/" if "kv-v2" in engine else f"{engine}/"
            if path.startswith(below) and path.removeprefix(below) in stored:
                found = stored[path.removeprefix(below)]
                return 200, {"data": {"data": found} if "kv-v2" in engine else found}
        return 404, {"errors": []}


def verified(token: str, jwks: dict[str, Any]) -> dict[str, Any]:
    """The claims of a JSON Web Token whose signature one of the keys made. Raises when none did."""
    head, body, signature = token.split(".")
    named = json.loads(decoded(head))
    key = next(each for each in jwks["keys"] if each["kid"] == named["kid"])
    numbers = RSAPublicNumbers(*(int.from_bytes(decoded(key[part]), "big") for part in ("e", "n")))
    numbers.public_key().verify(decoded(signature), f"{head}.{body}".encode(), PKCS1v15(), SHA256())
    claims: dict[str, Any] = json.loads(decoded(body))
    return claims


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
