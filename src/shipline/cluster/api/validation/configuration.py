"""ConfigMaps and Secrets: their keys, their size, what each type of Secret must hold, and what is immutable."""

from __future__ import annotations

import base64
import json
from typing import Any

from shipline.cluster.api.validation import formats
from shipline.cluster.api.validation.causes import Causes

Json = dict[str, Any]

_LARGEST = 1024 * 1024
_FIXED = "field is immutable when `immutable` is set"
_ACCOUNT = "kubernetes.io/service-account.name"
_NEEDED = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _size(encoded: str) -> int:
    return len(base64.b64decode(encoded))


def check_config_map(causes: Causes, config_map: Json) -> None:
    """A ConfigMap by itself."""
    data, binary = config_map.get("data") or {}, config_map.get("binaryData") or {}
    for field, entries in (("data", data), ("binaryData", binary)):
        for key in entries:
            for complaint in formats.config_key(key):
                causes.invalid(f"{field}[{key}]", key, complaint)
            if field == "data" and key in binary:
                causes.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    if sum(len(v.encode()) for v in data.values()) + sum(_size(v) for v in binary.values()) > _LARGEST:
        causes.too_long("", _LARGEST)


def check_config_map_change(causes: Causes, new: Json, old: Json) -> None:
    """A change of a ConfigMap."""
    _immutable(causes, new, old, ("data", "binaryData"))


def check_secret(causes: Causes, secret: Json) -> None:
    """A Secret by itself."""
    data, kind = secret.get("data") or {}, secret.get("type", "")
    for key in data:
        for complaint in formats.config_key(key):
            causes.invalid(f"data[{key}]", key, complaint)
    if sum(_size(value) for value in data.values()) > _LARGEST:
        causes.too_long("data", _LARGEST)
    if kind == "kubernetes.io/service-account-token":
        if not (secret["metadata"].get("annotations") or {}).get(_ACCOUNT):
            causes.required(f"metadata.annotations[{_ACCOUNT}]")
    elif kind == "kubernetes.io/basic-auth" and "username" not in data and "password" not in data:
        causes.required("data[username]")
        causes.required("data[password]")
    for key in _NEEDED.get(kind, ()):
        if key not in data or (key == "ssh-privatekey" and not data[key]):
            causes.required(f"data[{key}]")
        elif key.startswith(".docker"):
            _check_json(causes, f"data[{key}]", data[key])


def _check_json(causes: Causes, field: str, encoded: str) -> None:
    raw = base64.b64decode(encoded)
    try:
        parsed = json.loads(raw)
    except ValueError:
        first = raw.strip()[:1].decode(errors="replace")
        why = f"invalid character '{first}' looking for beginning of value" if first else ""
        causes.invalid(field, "<secret contents redacted>", why or "unexpected end of JSON input")
        return
    if parsed is not None and not isinstance(parsed, dict):
        why = "json: cannot unmarshal a value of another type into Go value of type map[string]interface {}"
        causes.invalid(field, "<secret contents redacted>", why)


def check_secret_change(causes: Causes, new: Json, old: Json) -> None:
    """A change of a Secret."""
    if new.get("type") != old.get("type"):
        causes.invalid("type", new.get("type", ""), "field is immutable")
    _immutable(causes, new, old, ("data",))


def _immutable(causes: Causes, new: Json, old: Json, fields: tuple[str, ...]) -> None:
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        causes.forbidden("immutable", _FIXED)
    for field in fields:
        if new.get(field) != old.get(field):
            causes.forbidden(field, _FIXED)
