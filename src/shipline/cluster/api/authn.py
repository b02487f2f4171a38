"""Who a request comes from: a client certificate, a bearer token, or nobody; and whom it may speak for."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from shipline.cluster.api import bearer, tokens
from shipline.cluster.api.call import User
from shipline.cluster.api.errors import ApiError

ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
_EXTRA = "impersonate-extra-"
_MOST_KNOWN = 256
_KNOWN: dict[bytes, User] = {}  # by certificate, as it came: each request of a connection shows it


def unauthorized() -> ApiError:
    """401: credentials were shown and are worth nothing."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def authenticate(
    headers: Mapping[str, str], tls: ssl.SSLObject | None, key: tokens.TokenKey, look_up: tokens.Lookup
) -> User:
    """The caller; ApiError 401 for a bad token. `tls` is the connection's, with a verified certificate or none."""
    authorization = headers.get("Authorization", "")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        found = bearer.authenticate(key, token.strip(), [tokens.AUDIENCE], look_up)
        if found is None or not found[1]:
            raise unauthorized()
        return found[0]
    raw = tls.getpeercert(binary_form=True) if tls is not None else None
    if not raw:
        return ANONYMOUS
    if raw in _KNOWN:
        return _KNOWN[raw]
    assert tls is not None
    user = _certified(tls.getpeercert() or {}, raw)
    if user is not ANONYMOUS:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[raw] = user
    return user


def _certified(certificate: Mapping[str, Any], raw: bytes) -> User:
    name, groups = "", []
    for part in certificate.get("subject", ()):
        for attribute, value in part:
            if attribute == "commonName":
                name = value
            elif attribute == "organizationName":
                groups.append(value)
    if not name:
        return ANONYMOUS
    digest = hashlib.sha256(raw).hexdigest()
    extra = {"authentication.kubernetes.io/credential-id": [f"X509SHA256={digest}"]}
    return User(name, (*groups, "system:authenticated"), extra=extra)


def impersonated(headers: Mapping[str, str]) -> User | None:
    """Whom the Impersonate-* headers name; None without them. The caller's right to it is checked elsewhere."""
    name = headers.get("Impersonate-User")
    asked = [key for key in headers if key.lower().startswith("impersonate-")]
    if name is None:
        if asked:
            message = "requested impersonation without impersonating a user"
            raise ApiError(500, "InternalError", f"Internal error occurred: {message}", {})
        return None
    given = headers.getall("Impersonate-Group", []) if hasattr(headers, "getall") else []
    groups = list(given)
    parts = name.split(":")
    if name.startswith("system:serviceaccount:") and len(parts) == 4 and not groups:
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{parts[2]}"]
    if name != ANONYMOUS.name and "system:authenticated" not in groups:
        groups.append("system:authenticated")
    elif name == ANONYMOUS.name and "system:unauthenticated" not in groups:
        groups.append("system:unauthenticated")
    extra: dict[str, list[str]] = {}
    for header in asked:
        if header.lower().startswith(_EXTRA):
            extra.setdefault(unquote(header.lower()[len(_EXTRA) :]), []).append(headers[header])
    return User(name, tuple(groups), headers.get("Impersonate-Uid", ""), extra)
