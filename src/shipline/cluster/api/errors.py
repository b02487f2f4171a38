"""The one error of this room: a Kubernetes `Status` of failure.

Messages and reasons are the wire's own, so that kubectl's reading of them holds.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """A refused request. `details` is the `details` object of the Status it turns into."""

    def __init__(
        self,
        status_code: int,
        reason: str,
        message: str,
        details: Json | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = headers or {}

    def status(self) -> Json:
        """The Status object a client receives."""
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.status_code
        return status


def _details(resource: str, name: str | None) -> Json:
    """`resource` is plural[.group]; the wire's details split the two."""
    plural, _, group = resource.partition(".")
    details: Json = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    details["kind"] = plural
    return details


def not_found(resource: str, name: str) -> ApiError:
    """404: no such object."""
    return ApiError(404, "NotFound", f'{resource} "{name}" not found', _details(resource, name))


def unknown_path() -> ApiError:
    """404: nothing is served here."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: str, name: str) -> ApiError:
    """409: the name is taken."""
    return ApiError(409, "AlreadyExists", f'{resource} "{name}" already exists', _details(resource, name))


def conflict(resource: str, name: str, why: str) -> ApiError:
    """409: the change does not fit the present state; `why` says what to do."""
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(resource, name))


def modified(resource: str, name: str) -> ApiError:
    """409: the object's resourceVersion has moved on."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def bad_request(message: str) -> ApiError:
    """400: the request itself is malformed."""
    return ApiError(400, "BadRequest", message)


def method_not_allowed(resource: str, verb: str) -> ApiError:
    """405: the resource knows no such verb."""
    message = f'{verb} is not supported on resources of kind "{resource}"'
    return ApiError(405, "MethodNotAllowed", message, _details(resource, None))


def forbidden(resource: str, name: str, why: str) -> ApiError:
    """403: `why` ends the sentence that kubectl prints."""
    named = f' "{name}"' if name else ""
    return ApiError(403, "Forbidden", f"{resource}{named} is forbidden: {why}", _details(resource, name))


def expired(message: str = "The resourceVersion for the provided watch is too old.") -> ApiError:
    """410: the history needed has been forgotten; list again."""
    return ApiError(410, "Expired", message)


def invalid(kind: str, group: str, name: str, causes: list[tuple[str, str, str]]) -> ApiError:
    """422: `causes` are (reason, field, message), in the order found."""
    lines = [f"{field}: {message}" for _, field, message in causes]
    listed = lines[0] if len(lines) == 1 else "[" + ", ".join(lines) + "]"
    qualified = f"{kind}.{group}" if group else kind
    details: Json = {"name": name} if name else {}
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    details["causes"] = [
        {"reason": reason, "message": message, "field": field} for reason, field, message in causes
    ]
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {listed}', details)
