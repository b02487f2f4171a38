"""/projects/:id/releases: list, show, make, change, delete; and the links of each."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
from starlette.responses import RedirectResponse, Response

from shipline.engine import releases
from shipline.engine.errors import EngineError
from shipline.engine.possessions import Release, ReleaseLink
from shipline.server import permissions as may
from shipline.server.api import shapes
from shipline.server.api.commits import commit as commit_shape
from shipline.server.git import reading
from shipline.server.http.answers import no_record, refusal, time_text
from shipline.server.http.call import Call
from shipline.server.http.paging import paged
from shipline.server.http.routes import Endpoint

ORDERS = ("released_at", "created_at")
FORMATS = ("zip", "tar.gz", "tar.bz2", "tar")


async def list_releases(call: Call) -> Response:
    project = call.project()
    field = call.choice("order_by", ORDERS, "released_at")
    newest_first = call.choice("sort", ("asc", "desc"), "desc") == "desc"
    found = call.instance.store.possessions(project.id, Release)
    found.sort(key=lambda release: getattr(release, field), reverse=newest_first)
    return paged(call, found, lambda release: release_shape(call, project, release))


async def show(call: Call) -> Response:
    project, release = _wanted(call)
    return call.json(release_shape(call, project, release))


async def latest(call: Call) -> Response:
    """Sends the client to the release that was released last."""
    project = call.project()
    now = time.time()
    found = [each for each in call.instance.store.possessions(project.id, Release) if each.released_at <= now]
    if not found:
        raise refusal(404, "404 Not Found")
    newest = max(found, key=lambda release: release.released_at)
    suffix = f"/{call.path['suffix']}" if call.path.get("suffix") else ""
    return RedirectResponse(f"{_address(call, project, newest)}{suffix}", 302)


async def download(call: Call) -> Response:
    """Sends the client to the link of that path."""
    _, release = _wanted(call)
    for link in release.links:
        if link.path and link.path.strip("/") == call.path["path"].strip("/"):
            return RedirectResponse(link.url, 302)
    raise refusal(404, "404 Not Found")


async def create(call: Call) -> Response:
    project = call.project(may.DEVELOPER)
    tag = call.filled("tag_name")
    store, now = call.instance.store, time.time()
    if store.possession(project.id, Release, tag) is not None:
        raise refusal(409, "Release already exists")
    written = {key: call.values.get(key) for key in ("name", "description", "tag_message", "released_at")}
    written |= {"tag_name": tag, "milestones": call.listed("milestones"), "assets": call.mapping("assets")}
    try:
        releases.described(written, "", now)
        sha = call.instance.publisher.make_tag(
            project, call.user(), tag, call.text("ref"), call.text("tag_message")
        )
        made = msgspec.structs.replace(releases.described(written, sha, now), author_id=call.user().user_id)
    except EngineError as error:
        raise refusal(422 if "Ref is not specified" in str(error) else 400, str(error)) from None
    releases.add(store, project.id, made)
    call.audit("create release", f"{project.full_path}: {tag}")
    return call.json(release_shape(call, project, made), 201)


async def update(call: Call) -> Response:
    project, release = _wanted(call, may.DEVELOPER)
    fields: dict[str, Any] = {key: call.text(key) for key in ("name", "description") if call.given(key)}
    if call.given("milestones"):
        fields["milestones"] = [str(name) for name in call.listed("milestones")]
    if call.given("released_at"):
        try:
            fields["released_at"] = releases.moment(call.text("released_at"))
        except EngineError as error:
            raise refusal(400, str(error)) from None
    changed = msgspec.structs.replace(release, updated_at=time.time(), **fields)
    call.instance.store.possess(project.id, changed)
    call.audit("change release", f"{project.full_path}: {release.tag}")
    return call.json(release_shape(call, project, changed))


async def delete(call: Call) -> Response:
    """The tag stays."""
    project, release = _wanted(call, may.MAINTAINER)
    call.instance.store.dispossess(project.id, Release, release.tag)
    call.audit("delete release", f"{project.full_path}: {release.tag}")
    return call.json(release_shape(call, project, release))


async def list_links(call: Call) -> Response:
    project, release = _wanted(call)
    return paged(call, release.links, lambda link: link_shape(call, project, release, link))


async def show_link(call: Call) -> Response:
    project, release = _wanted(call)
    return call.json(link_shape(call, project, release, _link(call, release)))


async def create_link(call: Call) -> Response:
    project, release = _wanted(call, may.DEVELOPER)
    call.required("name", "url")
    number = max((link.id for link in release.links), default=0) + 1
    return _with_link(call, project, release, _written(call, {}, number), 201)


async def update_link(call: Call) -> Response:
    project, release = _wanted(call, may.DEVELOPER)
    known = _link(call, release)
    kept = {"name": known.name, "url": known.url, "direct_asset_path": known.path, "link_type": known.link_type}
    return _with_link(call, project, release, _written(call, kept, known.id), 200)


async def delete_link(call: Call) -> Response:
    project, release = _wanted(call, may.DEVELOPER)
    link = _link(call, release)
    rest = [each for each in release.links if each.id != link.id]
    call.instance.store.possess(project.id, msgspec.structs.replace(release, links=rest, updated_at=time.time()))
    return call.json(link_shape(call, project, release, link))


def _written(call: Call, kept: dict[str, Any], number: int) -> ReleaseLink:
    """A link as the call has it, over what is known of it."""
    given = {
        key: call.text(key)
        for key in ("name", "url", "direct_asset_path", "filepath", "link_type")
        if call.given(key)
    }
    try:
        return msgspec.structs.replace(releases.link({**kept, **given}), id=number)
    except EngineError as error:
        raise refusal(400, str(error)) from None


def _with_link(call: Call, project: Any, release: Release, link: ReleaseLink, status: int) -> Response:
    links = sorted([*(each for each in release.links if each.id != link.id), link], key=lambda each: each.id)
    try:
        releases.check_different(links)
    except EngineError as error:
        raise refusal(400, str(error)) from None
    changed = msgspec.structs.replace(release, links=links, updated_at=time.time())
    call.instance.store.possess(project.id, changed)
    return call.json(link_shape(call, project, changed, link), status)


def _wanted(call: Call, level: int = may.NO_ACCESS) -> tuple[Any, Release]:
    project = call.project(level)
    release = call.instance.store.possession(project.id, Release, call.path["tag_name"])
    if release is None:
        raise refusal(404, "404 Not Found")
    return project, release


def _link(call: Call, release: Release) -> ReleaseLink:
    for link in release.links:
        if link.id == call.number("link_id"):
            return link
    raise no_record()


def _address(call: Call, project: Any, release: Release) -> str:
    from urllib.parse import quote

    return f"{shapes.base(call)}/api/v4/projects/{project.id}/releases/{quote(release.tag, safe='')}"


def link_shape(call: Call, project: Any, release: Release, link: ReleaseLink) -> shapes.Shape:
    """A link as GitLab shows it."""
    direct = f"{_address(call, project, release)}/downloads{link.path}" if link.path else link.url
    return {
        "id": link.id,
        "name": link.name,
        "url": link.url,
        "direct_asset_url": direct,
        "link_type": link.link_type,
    }


def release_shape(call: Call, project: Any, release: Release) -> shapes.Shape:
    """A release as GitLab shows it."""
    commit = reading.commit(Path(project.path), release.sha)
    author = release.author_id
    if release.job_id is not None and (job := call.instance.store.job(release.job_id)) is not None:
        row = shapes.pipeline_row(call.instance, job.pipeline_id)
        author = row.user_id if row is not None else None
    web = f"{shapes.base(call)}/{project.full_path}/-"
    return {
        "tag_name": release.tag,
        "description": release.description,
        "name": release.name,
        "created_at": time_text(release.created_at),
        "released_at": time_text(release.released_at),
        "upcoming_release": release.released_at > time.time(),
        "author": shapes.user_of(call, author),
        "commit": commit_shape(call, commit, project.full_path) if commit is not None else None,
        "milestones": [{"title": name} for name in release.milestones],
        "commit_path": f"/{project.full_path}/-/commit/{release.sha}",
        "tag_path": f"/{project.full_path}/-/tags/{release.tag}",
        "assets": {
            "count": len(release.links),
            "sources": [],
            "links": [link_shape(call, project, release, link) for link in release.links],
        },
        "evidences": [],
        "_links": {"self": f"{web}/releases/{release.tag}"},
    }


_ALL = "/projects/{id}/releases"
_ONE = _ALL + "/{tag_name}"
_LINKS = _ONE + "/assets/links"
_LINK = "direct_asset_path link_type:other|runbook|image|package"
_TEXTS = "name description released_at milestones:list"
ENDPOINTS = [
    Endpoint(
        "GET",
        _ALL,
        list_releases,
        takes="order_by:released_at|created_at sort:asc|desc page:int per_page:int",
        gives="[Release]",
    ),
    Endpoint("POST", _ALL, create, takes=f"tag_name! ref tag_message {_TEXTS} assets:hash", gives="Release"),
    Endpoint("GET", _ALL + "/permalink/latest", latest, gives="-", status=302),
    Endpoint("GET", _ALL + "/permalink/latest/{suffix:path}", latest, gives="-", status=302),
    Endpoint("GET", _ONE, show, gives="Release"),
    Endpoint("PUT", _ONE, update, takes=_TEXTS, gives="Release"),
    Endpoint("DELETE", _ONE, delete, gives="Release", status=200),
    Endpoint("GET", _ONE + "/downloads/{path:path}", download, gives="-", status=302),
    Endpoint("GET", _LINKS, list_links, takes="page:int per_page:int", gives="[ReleaseLink]"),
    Endpoint("POST", _LINKS, create_link, takes=f"name! url! {_LINK}", gives="ReleaseLink"),
    Endpoint("GET", _LINKS + "/{link_id}", show_link, gives="ReleaseLink"),
    Endpoint("PUT", _LINKS + "/{link_id}", update_link, takes=f"name url {_LINK}", gives="ReleaseLink"),
    Endpoint("DELETE", _LINKS + "/{link_id}", delete_link, gives="ReleaseLink", status=200),
]
