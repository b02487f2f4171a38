"""/projects/:id/mirror/pull, and the webhook by which the other side says that there is something new."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import mirrors
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api.triggers import token_of
from shipline.server.http.answers import Refusal, refusal, time_text
from shipline.server.http.call import BODY_LIMIT, Call
from shipline.server.http.routes import Endpoint
from shipline.server.mirrored_requests import told_of

_PATH = "/projects/{id}/mirror/pull"
HOOK = "/projects/{id}/webhook"
HOOKS_A_MINUTE = 60


async def show(call: Call) -> Response:
    project = call.project(may.MAINTAINER)
    return call.json(_shape(call, _mirror(call, project)))


async def change(call: Call) -> Response:
    """Makes the project a mirror (`url`, `auth_user`, `auth_password`), or stops it being one (`enabled`)."""
    project = call.project(may.MAINTAINER)
    known = mirrors.mirror_of(call.instance, project.id)
    url = _address(call, call.text("url")) if call.text("url") else None
    if url is None:
        if known is None:
            raise Refusal(400, {"error": "url is missing"})
        url = mirrors.url_of(call.instance, known)
    mirrors.set_mirror(call.instance, project.id, call.user().user_id, url, call.boolean("enabled", True))
    call.audit("mirror", f"{project.full_path}: {mirrors.shown(url)}")
    mirrors.update(call.instance, project.id)
    return call.json(_shape(call, _mirror(call, project)))


async def start(call: Call) -> Response:
    project = call.project(may.DEVELOPER)
    if mirrors.mirror_of(call.instance, project.id) is None:
        raise refusal(400, "The project is not mirrored")
    mirrors.update(call.instance, project.id)
    return Response("200", 200, media_type="application/json")


async def hook(call: Call) -> Response:
    """POST /projects/:id/webhook, as GitHub and GitLab call it. Its secret is a trigger token of the project."""
    call.limit("webhook", call.address or "", HOOKS_A_MINUTE)
    project = call.instance.projects.find(call.path["id"])
    body = await call.whole_body(BODY_LIMIT)
    if project is None or not _is_signed(call, project, body):
        raise refusal(404)
    if mirrors.mirror_of(call.instance, project.id) is None:
        raise refusal(400, "The project is not mirrored")
    mirrors.update_with(call.instance, project.id, told_of(call.request.headers, body))
    return call.json({"message": "An update has been started."}, 202)


def _is_signed(call: Call, project: Any, body: bytes) -> bool:
    """GitLab sends the secret itself, GitHub (and Gitea) a digest of the body by it."""
    headers = call.request.headers
    plain = headers.get("x-gitlab-token", "")
    signature = headers.get("x-hub-signature-256", "").removeprefix("sha256=")
    rows = call.instance.database.all(sa.select(t.triggers).where(t.triggers.c.project_id == project.id))
    for secret in (token_of(call, row) for row in rows):
        signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        if hmac.compare_digest(plain.encode(), secret.encode()) or hmac.compare_digest(signature, signed):
            return True
    return False


def _address(call: Call, url: str) -> str:
    if (wrong := mirrors.acceptable(url)) is not None:
        raise Refusal(400, {"message": {"url": [wrong]}})
    user, password = call.text("auth_user"), call.text("auth_password")
    if not user and not password:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{host}"))


def _mirror(call: Call, project: Any) -> Any:
    found = mirrors.mirror_of(call.instance, project.id)
    if found is None:
        raise refusal(404)
    return found


def _shape(call: Call, mirror: Any) -> dict[str, Any]:
    return {
        "id": mirror.project_id,
        "enabled": mirror.enabled,
        "url": mirrors.shown(mirrors.url_of(call.instance, mirror)),
        "update_status": mirror.status,
        "last_error": mirror.error,
        "last_update_started_at": time_text(mirror.started_at),
        "last_update_at": time_text(mirror.updated_at),
        "last_successful_update_at": time_text(mirror.succeeded_at),
    }


ENDPOINTS = [
    Endpoint("GET", _PATH, show, gives="PullMirror"),
    Endpoint("PUT", _PATH, change, takes="url enabled:bool auth_user auth_password", gives="PullMirror"),
    Endpoint("POST", _PATH, start, gives="text", status=200),
    Endpoint("POST", HOOK, hook, reads_body=False, gives="hash", status=202),
]
