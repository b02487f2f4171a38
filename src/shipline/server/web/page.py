"""How a page is made: who asks, what the API answers them, a template, and what is said when something is wrong."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from shipline.engine.errors import EngineError
from shipline.language import LanguageError
from shipline.server.http.answers import Refusal, no_such
from shipline.server.http.call import Call
from shipline.server.http.routes import Handler
from shipline.server.instance import Instance
from shipline.server.web import sessions

if TYPE_CHECKING:
    from jinja2 import Environment

SIGN_IN = "/users/sign_in"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|section_(start|end):\d+:[^\r\n]*\r")

PageHandler = Callable[["Page"], Awaitable[Response]]


class Page:
    """One request of a browser. `values` are the fields of its form."""

    def __init__(self, instance: Instance, request: Request, values: dict[str, Any]) -> None:
        self.instance = instance
        self.request = request
        self.values = values
        self.caller = sessions.caller(instance, request)
        self.path = {key: unquote(value) for key, value in request.path_params.items()}

    async def ask(self, handler: Handler, values: dict[str, Any] | None = None, **path: str) -> Any:
        """What an endpoint of the API answers this user. Raises Refusal."""
        call = Call(self.instance, self.request)
        call.caller, call.path, call.values = self.caller, path, values or {}
        response = await handler(call)
        return msgspec.json.decode(response.body) if response.body else None

    def show(self, template: str, status: int = 200, **values: Any) -> Response:
        """The template as a page."""
        text = (
            templates()
            .get_template(template)
            .render(
                user=self.caller,
                token=sessions.form_token(self.request),
                message=self.request.query_params.get("message", ""),
                here=self.request.url.path,
                **values,
            )
        )
        return HTMLResponse(text, status, HEADERS)

    def go(self, address: str, message: str = "") -> Response:
        """Sends the browser to another page of ours."""
        query = f"?message={quote(message)}" if message else ""
        return RedirectResponse(address + query, 303, HEADERS)

    @property
    def project(self) -> str:
        """The project's path, as the address names it."""
        return self.path["project"].strip("/")


@cache
def templates() -> Environment:
    """The templates, which escape whatever is put into them."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent / "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    made.filters["seconds"] = seconds_text
    return made


def seconds_text(seconds: float | None) -> str:
    """How long something took, as people write it."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def plain(log: str) -> str:
    """A log without what only terminals understand."""
    return ESCAPES.sub("", log).replace("\r\n", "\n")


def page_route(path: str, handler: PageHandler, instance: Callable[[], Instance], *, method: str = "GET") -> Route:
    """A page at an address. Who is not signed in where that is needed is asked to; other refusals are shown."""

    async def answer(request: Request) -> Response:
        values = {}
        if method == "POST":
            async with request.form(max_fields=100, max_part_size=1 << 20) as form:
                values = {key: value for key, value in form.items() if isinstance(value, str)}
        page = Page(instance(), request, values)
        try:
            if method == "POST" and not sessions.is_ours(page.instance, request, values.get(sessions.FIELD, "")):
                return page.show(
                    "error.html", 422, text="The form was not one of this server's pages. Load it again."
                )
            return await handler(page)
        except Refusal as refusal:
            if page.caller is None and refusal.status in (401, 403, 404):
                return page.go(f"{SIGN_IN}?to={quote(request.url.path)}")
            return page.show("error.html", refusal.status, text=_text(refusal.body))
        except LanguageError as error:
            return page.show("error.html", 400, text="\n".join(map(str, error.findings)))
        except EngineError as error:
            return page.show("error.html", 400, text=str(error))

    return Route(path, answer, methods=[method])


def missing() -> Refusal:
    """A page that is not there."""
    return no_such("Page")


def _text(body: Any) -> str:
    """What a refusal says."""
    if isinstance(body, dict):
        said = body.get("message") or body.get("error") or body
        return _text(said) if said is not body else str(body)
    if isinstance(body, list):
        return "\n".join(map(_text, body))
    return str(body)
