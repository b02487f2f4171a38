"""Answers in GitLab's forms: JSON as it writes it, and refusals with its status codes and bodies."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

PHRASES = {
    400: "400 Bad request",
    401: "401 Unauthorized",
    403: "403 Forbidden",
    404: "404 Not Found",
    405: "405 Method Not Allowed",
    409: "409 Conflict",
    412: "412 Precondition Failed",
    413: "413 Request Entity Too Large",
    416: "416 Range Not Satisfiable",
    422: "422 Unprocessable Entity",
    429: "429 Too Many Requests",
}


class Refusal(Exception):
    """Ends a call with an error. `body` is the JSON answer."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body
        self.headers = headers or {}


def refusal(status: int, why: str | dict[str, Any] | list[str] | None = None, **headers: str) -> Refusal:
    """A refusal by the endpoint: `{"message": ...}`. Text that starts with the status stands for itself; other text
    follows the status' own phrase after a dash."""
    if why is None:
        why = PHRASES[status]
    return Refusal(status, {"message": why}, {key.replace("_", "-"): value for key, value in headers.items()})


def because(status: int, reason: str, **headers: str) -> Refusal:
    """`{"message": "403 Forbidden - <reason>"}`."""
    return refusal(status, f"{PHRASES[status]} - {reason}", **headers)


def no_such(what: str) -> Refusal:
    """404, naming what was looked for."""
    return refusal(404, f"404 {what} Not Found")


def no_record() -> Refusal:
    """404 for a record that was looked up by its number."""
    return refusal(404, "404 Not found")


def wrong_parameter(text: str) -> Refusal:
    """400 before the endpoint runs: `{"error": ...}`."""
    return Refusal(400, {"error": text})


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON, with the characters that HTML knows written as escapes."""
    body = msgspec.json.encode(value)
    body = body.replace(b"&", b"\\u0026").replace(b"<", b"\\u003c").replace(b">", b"\\u003e")
    return Response(body, status, headers, media_type="application/json")


def conditional(request: Request, response: Response) -> Response:
    """The answer with a tag, or 304 where the caller has the same already. The tag is made of the content alone, so
    that it is the same of every process."""
    if response.status_code not in (200, 201) or response.media_type != "application/json":
        return response
    tag = f'W/"{hashlib.md5(response.body, usedforsecurity=False).hexdigest()}"'
    response.headers["ETag"] = tag
    known = [part.strip() for part in request.headers.get("if-none-match", "").split(",")]
    if request.method not in ("GET", "HEAD") or (tag not in known and "*" not in known):
        return response
    kept = {name: text for name, text in response.headers.items() if name not in ("content-length", "content-type")}
    return Response(status_code=304, headers=kept)


def refused(refusal: Refusal) -> Response:
    """The refusal as an answer."""
    return json_response(refusal.body, refusal.status, {"Cache-Control": "no-cache", **refusal.headers})


def time_text(seconds: float | None) -> str | None:
    """A moment as GitLab writes it: `2016-08-11T11:28:34.085Z`."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
