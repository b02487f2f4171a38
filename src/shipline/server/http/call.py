"""One call of an interface: who asks for what, with which parameters."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import unquote

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from shipline.server.http.answers import (
    Refusal,
    because,
    json_response,
    no_record,
    no_such,
    refusal,
    wrong_parameter,
)
from shipline.server.http.parameters import Parameters, has_nul, nested, number_in
from shipline.server.instance import Instance
from shipline.server.permissions import NO_ACCESS, Caller, visible_to_all

BODY_LIMIT = 8 << 20
"""Bytes of a JSON body or form; what is larger goes to endpoints that read it as a stream."""


class Call(Parameters):
    """Handed to an endpoint. `path` holds the parts of the path that the route names, decoded."""

    def __init__(self, instance: Instance, request: Request) -> None:
        super().__init__({})
        self.instance = instance
        self.request = request
        self.path: dict[str, str] = {key: unquote(value) for key, value in request.path_params.items()}
        self.caller: Caller | None = None

    async def read(self, *, body: bool = True) -> None:
        """Reads the parameters."""
        values = nested(self.request.query_params.multi_items())
        try:
            if body and self.request.method not in ("GET", "HEAD"):
                values |= await self._body()
            nul = has_nul(values) or has_nul(self.path)
        except RecursionError:
            raise wrong_parameter("The request body is nested too deeply") from None
        if nul:
            raise refusal(400)
        self.values = values

    async def _body(self) -> dict[str, Any]:
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
            try:
                async with self.request.form() as form:
                    return nested(form.multi_items())
            except HTTPException:
                raise wrong_parameter("The request body is no form") from None
        text = await self.whole_body(BODY_LIMIT)
        if not text.strip() or kind not in ("application/json", ""):
            return {}
        try:
            values = msgspec.json.decode(text)
        except msgspec.DecodeError:
            raise wrong_parameter("The request body is not valid JSON") from None
        if not isinstance(values, dict):
            raise wrong_parameter("The request body is not a JSON object")
        return values

    async def whole_body(self, limit: int) -> bytes:
        """The body, at most `limit` bytes."""
        return b"".join([part async for part in self.pieces(limit)])

    async def pieces(self, limit: int) -> AsyncGenerator[bytes, None]:
        """The body as it comes, given up when it gets too long: not everybody says beforehand how long it is."""
        size = 0
        try:
            async for part in self.request.stream():
                size += len(part)
                if size > limit:
                    raise refusal(413)
                yield part
        except ClientDisconnect:
            raise refusal(400) from None

    @property
    def address(self) -> str | None:
        """Where the call comes from. What a proxy says of it counts only where the proxy is this machine's."""
        return self.request.client.host if self.request.client else None

    def user(self) -> Caller:
        """The caller; 401 when there is none."""
        if self.caller is None:
            raise refusal(401)
        return self.caller

    def administrator(self) -> Caller:
        if not self.user().admin or not self.user().person:
            raise refusal(403)
        return self.user()

    def number(self, name: str) -> int:
        """A number in the path."""
        text = self.path[name]
        if not (text.isascii() and text.isdigit()):
            raise wrong_parameter(f"{name} is invalid")
        number = number_in(text)
        if number is None:
            raise no_record()
        return number

    def project(self, level: int = NO_ACCESS) -> Any:
        """The project that the path names, where the caller may read it and has at least this level; else 404, 401
        or 403. `level` 0 takes whoever may see it."""
        project = self.instance.projects.find(self.path["id"])
        own = self.instance.projects.level(project, self.caller) if project is not None else NO_ACCESS
        if project is None or not (own or visible_to_all(project, self.caller)):
            if level and self.caller is None:
                raise refusal(401)
            if project is not None:
                self.refuse_job_token(project, self.caller)
            raise no_such("Project")
        if level and own < level:
            raise refusal(401 if self.caller is None else 403)
        return project

    def refuse_job_token(self, project: Any, caller: Caller | None) -> None:
        """A job whose user would see the project hears that its token does not reach it."""
        if caller is None or caller.job_id is None:
            return
        projects = self.instance.projects
        own = projects.by_id(caller.project_id or 0)
        person = msgspec.structs.replace(caller, job_id=None, project_id=None)
        if own is not None and projects.level(project, person):
            where = f"from {own.full_path} to {project.full_path}"
            raise because(403, f"Authentication by CI/CD job token not allowed {where}.")

    def json(self, value: Any, status: int = 200, **headers: str) -> Response:
        return json_response(value, status, {key.replace("_", "-"): text for key, text in headers.items()})

    def audit(self, action: str, subject: str) -> None:
        """Notes what the caller has done."""
        self.instance.audit(action, subject, self.caller.user_id if self.caller else None, self.address)

    def limit(self, name: str, who: bytes | str, a_minute: float) -> None:
        """429 when this caller has asked too often."""
        if wait := self.instance.limits.wait(name, who, a_minute):
            text = "This endpoint has been requested too many times. Try again later."
            raise Refusal(429, {"message": {"error": text}}, {"Retry-After": str(wait)})
