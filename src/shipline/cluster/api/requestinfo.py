"""What a path and method ask for: a verb on a resource, or on a path that is no resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "HEAD": "get", "GET": "get"}
# Below a namespace's name these are its own subresources; all else is a resource inside it.
_NAMESPACE_SUBRESOURCES = ("status", "finalize")


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A parsed request. For a path that is no resource only `path` and `verb` say something."""

    path: str
    verb: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    namespace: str | None = None
    plural: str = ""
    name: str = ""
    subresource: str = ""
    rest: tuple[str, ...] = ()

    @property
    def resource(self) -> str:
        """`plural[.group]`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def parse(method: str, path: str, query: Mapping[str, str]) -> RequestInfo:
    """Read a request's line. What is served isn't looked at here."""
    parts = [part for part in path.split("/") if part]
    if len(parts) >= 3 and parts[0] == "api":
        group, version, parts = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return RequestInfo(path, method.lower())
    namespace: str | None = None
    if parts[0] == "namespaces" and len(parts) > 1:
        if len(parts) > 2 and parts[2] not in _NAMESPACE_SUBRESOURCES:
            namespace, parts = parts[1], parts[2:]
        elif not group:
            namespace = None
    plural, name, subresource, *rest = [*parts, "", ""][: max(3, len(parts))]
    verb = _VERBS.get(method, method.lower())
    if not name and method in ("GET", "HEAD"):
        verb = "watch" if query.get("watch", "").lower() in ("1", "true", "t") else "list"
    elif not name and method == "DELETE":
        verb = "deletecollection"
    return RequestInfo(path, verb, True, group, version, namespace, plural, name, subresource, tuple(rest))
