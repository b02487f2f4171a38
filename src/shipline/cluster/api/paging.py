"""Lists in pages: limit, continue, and which version of the world a client asks for."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from shipline.cluster.api.errors import ApiError, bad_request
from shipline.cluster.api.exchange import Exchange
from shipline.cluster.api.resources import Resource
from shipline.cluster.api.watch import Stored


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list. `next` is the token for the rest, `remaining` its length where that is known."""

    items: list[Stored]
    version: str
    next: str = ""
    remaining: int | None = None


def page(exchange: Exchange, resource: Resource) -> Page:
    """The page that the query asks for.

    Later pages show the present, not the moment of the first; they carry the first page's resourceVersion, so a
    watch from there misses nothing.
    """
    query, api = exchange.query, exchange.api
    labels, fields = query.get("labelSelector"), query.get("fieldSelector")
    version = _version(exchange, resource)
    items = api.select(resource.name, exchange.info.namespace, labels, fields)
    token = query.get("continue")
    if token:
        version, start = _read(token)
        api.check_remembered(resource.name, version)
        items = [item for item in items if _position(exchange, item) >= start]
    limit = exchange.number("limit") or 0
    if limit <= 0 or len(items) <= limit:
        return Page(items, str(version))
    rest = len(items) - limit
    items = items[:limit]
    following = _position(exchange, items[-1]) + "\0"
    remaining = None if labels or fields else rest
    return Page(items, str(version), _write(version, following), remaining)


def too_large(wanted: int, current: int) -> ApiError:
    """504: a version from the future."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return ApiError(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1})


def read_version(text: str) -> int:
    """A resourceVersion; ApiError when it is no number."""
    if not text.isascii() or not text.isdigit():
        message = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise ApiError(500, "", message)
    return int(text)


def _version(exchange: Exchange, resource: Resource) -> int:
    """The version that the answer carries: the present one, which is never older than any asked for."""
    query, api = exchange.query, exchange.api
    current = int(api.resource_version)
    match, asked = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    if match and not asked:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise ApiError(
            422, "Invalid", f'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: {why}'
        )
    if not asked:
        return current
    wanted = read_version(asked)
    if wanted > current:
        raise too_large(wanted, current)
    if match == "Exact" and not api.unchanged_since(resource.name, wanted):
        raise ApiError(410, "Expired", "The provided resource version is no longer available.")
    return wanted if match == "Exact" else current


def _position(exchange: Exchange, item: Stored) -> str:
    """Where an item lies in the list's order."""
    metadata = item.obj["metadata"]
    if exchange.info.namespace is None and "namespace" in metadata:
        return f"{metadata['namespace']}/{metadata['name']}"
    return str(metadata["name"])


def _write(version: int, start: str) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _read(token: str) -> tuple[int, str]:
    try:
        value = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(value["rv"]), str(value["start"])
    except (ValueError, KeyError, TypeError):
        raise bad_request("continue key is not valid: encoded value is not valid") from None
