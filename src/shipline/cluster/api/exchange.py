"""One request being answered: what was asked, by whom, and the ways to answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from shipline.cluster.api import bodies, negotiation
from shipline.cluster.api.call import Call, User
from shipline.cluster.api.errors import bad_request, invalid
from shipline.cluster.api.machinery import Api
from shipline.cluster.api.requestinfo import RequestInfo
from shipline.cluster.api.streams import NodeStreams
from shipline.cluster.api.tokens import TokenKey

Json = dict[str, Any]

OBJECT_SHAPES = ("Table", "PartialObjectMetadata")
LIST_SHAPES = ("Table", "PartialObjectMetadataList")
WATCH_SHAPES = ("Table", "PartialObjectMetadata")


@dataclass(slots=True)
class Exchange:
    """A request with its parsed line, its caller and the cluster it speaks to."""

    request: web.BaseRequest
    info: RequestInfo
    user: User
    api: Api
    streams: NodeStreams
    key: TokenKey

    @property
    def query(self) -> Mapping[str, str]:
        """The query's parameters."""
        return self.request.query

    def flag(self, name: str) -> bool:
        """A parameter that is true or absent; ApiError 400 when it is neither."""
        value = self.query.get(name)
        if value is None:
            return False
        if value.lower() in ("1", "t", "true", ""):
            return True
        if value.lower() in ("0", "f", "false"):
            return False
        raise bad_request(f'strconv.ParseBool: parsing "{value}": invalid syntax')

    def number(self, name: str) -> int | None:
        """A whole-number parameter; ApiError 400 when it isn't one."""
        value = self.query.get(name)
        if value is None or value == "":
            return None
        try:
            return int(value)
        except ValueError:
            raise bad_request(f'strconv.ParseInt: parsing "{value}": invalid syntax') from None

    def call(self, options: Mapping[str, Any] | None = None) -> Call:
        """The circumstances of a write, from the query and (for deletes) the body's options."""
        dry = self.request.query.getall("dryRun", []) or list((options or {}).get("dryRun") or ())
        if any(value != "All" for value in dry):
            shown = ", ".join(f'"{value}"' for value in dry if value != "All")
            kind = {"create": "CreateOptions", "patch": "PatchOptions", "update": "UpdateOptions"}.get(
                self.info.verb, "DeleteOptions"
            )
            message = f'Unsupported value: {shown}: supported values: "All"'
            raise invalid(kind, "meta.k8s.io", "", [("FieldValueNotSupported", "dryRun", message)])
        agent = self.request.headers.get("User-Agent", "").partition("/")[0].partition(" ")[0]
        return Call(
            user=self.user,
            manager=self.query.get("fieldManager") or agent or "unknown",
            dry_run=bool(dry),
            force=self.flag("force"),
            field_validation=self.query.get("fieldValidation") or "Warn",
        )

    async def body(self, kind: str) -> Any:
        """The request's body as a value."""
        raw = await self.request.read()
        return bodies.read(raw, self.request.headers.get("Content-Type", ""), kind)

    def form(self, shapes: tuple[str, ...] = ()) -> negotiation.Form:
        """The form that the client wants its answer in; ApiError 406."""
        return negotiation.wanted(self.request.headers, self.query, shapes)

    def answer(self, value: Json, status: int = 200, call: Call | None = None) -> web.Response:
        """A plain answer, with the warnings that the call has gathered."""
        form = self.form()
        if form.media == negotiation.PROTOBUF:
            from shipline.cluster.api import protobuf

            body = protobuf.write(value.get("apiVersion", "v1"), value["kind"], value)
        else:
            body = bodies.write(value, form)
        return self.dress(web.Response(body=body, status=status), form.media, call)

    def dress(self, response: web.Response, media: str, call: Call | None = None) -> web.Response:
        """Give an answer its content type and warnings."""
        response.headers["Content-Type"] = media
        for warning in call.warnings if call else ():
            text = warning.replace("\\", "\\\\").replace('"', '\\"')
            response.headers.add("Warning", f'299 - "{text}"')
        return response
