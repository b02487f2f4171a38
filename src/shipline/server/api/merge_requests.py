"""/projects/:id/merge_requests: list, show, make, change, and what belongs to one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api import commits, merge_request_shapes, shapes
from shipline.server.api.commits import reading_code
from shipline.server.api.pipelines import created, reading
from shipline.server.git import content
from shipline.server.git import reading as git
from shipline.server.http.answers import because, no_record, refusal, wrong_parameter
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, ordered, paged, paged_query
from shipline.server.http.routes import Endpoint
from shipline.server.merge_pipelines import order_for, pipeline_lines
from shipline.server.merge_requests import Facts, Refused, facts_of

ORDERS = {name: t.merge_requests.c[name] for name in ("created_at", "updated_at", "title")}
SCOPES = ("created_by_me", "created-by-me", "assigned_to_me", "assigned-to-me", "all")
CHANGES = (
    *("title", "description", "target_branch", "state_event", "labels", "add_labels", "remove_labels"),
    *("assignee_id", "assignee_ids", "squash", "remove_source_branch"),
)


async def list_of_project(call: Call) -> Response:
    project = call.project(reading_code(call))
    query = sa.select(t.merge_requests).where(t.merge_requests.c.project_id == project.id)
    if call.given("iids"):
        numbers = [int(str(iid)) for iid in call.listed("iids") if str(iid).isdecimal() and len(str(iid)) < 10]
        query = query.where(t.merge_requests.c.iid.in_(numbers))
    return _page(call, query, "all")


async def list_all(call: Call) -> Response:
    """GET /merge_requests: the caller's own, or all that it may see."""
    call.user()
    seen = sa.select(t.projects.c.id).where(call.instance.projects.readable(call.caller))
    return _page(call, sa.select(t.merge_requests).where(t.merge_requests.c.project_id.in_(seen)), "created_by_me")


def _page(call: Call, query: sa.Select[Any], scope: str) -> Response:
    columns = t.merge_requests.c
    scope = (call.text("scope") or scope).replace("-", "_")
    if scope == "created_by_me":
        query = query.where(columns.author_id == call.user().user_id)
    if scope == "assigned_to_me":
        query = query.where(columns.record.contains(f'"assignees":[{call.user().user_id}'))
    if (state := call.text("state")) and state != "all":
        query = query.where(columns.state == state)
    for name in ("source_branch", "target_branch"):
        if value := call.text(name):
            query = query.where(columns[name] == value)
    if (author := call.integer("author_id")) is not None:
        query = query.where(columns.author_id == author)
    if username := call.text("author_username"):
        user = call.instance.accounts.by_name(username)
        query = query.where(columns.author_id == (user.id if user is not None else -1))
    if search := call.text("search"):
        query = query.where(sa.func.lower(columns.title).contains(search.lower(), autoescape=True))
    for name in ("created", "updated"):
        if (moment := call.moment(f"{name}_after")) is not None:
            query = query.where(columns[f"{name}_at"] >= moment)
        if (moment := call.moment(f"{name}_before")) is not None:
            query = query.where(columns[f"{name}_at"] <= moment)

    if labels := _labels(call, "labels"):
        query = _labelled(call, query, labels)

    def shape(row: Any) -> shapes.Shape:
        return merge_request_shapes.basic(call, call.instance.projects.by_id(row.project_id), row)

    return paged_query(call, query, shape, ordered(call, ORDERS, columns.id, "created_at"))


def _labelled(call: Call, query: sa.Select[Any], labels: list[str]) -> sa.Select[Any]:
    """Those with all of these labels; `Any` and `None` stand for having some, or none."""
    columns = t.merge_requests.c
    rows = call.instance.database.all(query.with_only_columns(columns.id, columns.record))
    names = {row.id: facts_of(row).labels for row in rows}
    if [label.lower() for label in labels] in (["any"], ["none"]):
        some = labels[0].lower() == "any"
        return query.where(columns.id.in_([number for number, own in names.items() if bool(own) == some]))
    return query.where(columns.id.in_([number for number, own in names.items() if set(labels) <= set(own)]))


async def show(call: Call) -> Response:
    return await shown(call, *wanted(call))


async def shown(call: Call, project: Any, row: Any, status: int = 200) -> Response:
    return call.json(await merge_request_shapes.whole(call, project, row), status)


async def create(call: Call) -> Response:
    project, user = call.project(may.DEVELOPER), call.user()
    source, target, title = call.filled("source_branch"), call.filled("target_branch"), call.filled("title")
    if (other := call.integer("target_project_id")) not in (None, project.id):
        raise because(400, f"merge requests to another project ({other}) are not supported")
    facts = Facts(
        description=call.text("description"),
        labels=_labels(call, "labels"),
        assignees=_assignees(call),
        squash=call.boolean("squash"),
        remove_source_branch=call.boolean("remove_source_branch"),
    )
    try:
        row = call.instance.merge_requests.create(project, user.user_id, source, target, title, facts)
    except Refused as refused:
        raise refusal(409, refused.texts) from None
    call.audit("create merge request", f"{project.full_path}!{row.iid}")
    await pipeline_lines(call.instance, project, user, row)
    return await shown(call, project, row, 201)


async def change(call: Call) -> Response:
    project, row = wanted(call)
    user = call.user()
    if row.author_id != user.user_id and call.instance.projects.level(project, user) < may.DEVELOPER:
        raise refusal(403)
    if not any(name in call.values for name in CHANGES):
        raise wrong_parameter(f"{', '.join(CHANGES)} are missing, at least one parameter must be provided")
    requests, facts = call.instance.merge_requests, facts_of(row)
    labels = set(_labels(call, "labels") if "labels" in call.values else facts.labels)
    labels = (labels | set(_labels(call, "add_labels"))) - set(_labels(call, "remove_labels"))
    new: dict[str, Any] = {"labels": sorted(labels)}
    if call.given("assignee_id") or call.given("assignee_ids"):
        new["assignees"] = _assignees(call)
    if "description" in call.values:
        new["description"] = call.text("description")
    for name in ("squash", "remove_source_branch"):
        if call.given(name):
            new[name] = call.boolean(name)
    columns = {name: call.filled(name) for name in ("title", "target_branch") if call.given(name)}
    if (target := columns.get("target_branch")) is not None:
        known = await asyncio.to_thread(content.resolve, Path(project.path), f"refs/heads/{target}")
        if known is None or target == row.source_branch:
            raise refusal(409, [f'Target branch "{target}" does not exist'])
    requests.change(row, new, **columns)
    event = call.text("state_event")
    if event == "close" and row.state == "opened":
        requests.close(requests.by_id(row.id), user.user_id)
    if event == "reopen" and row.state == "closed":
        requests.change(requests.by_id(row.id), {"closed_by": None, "closed_at": None}, state="opened")
        requests.follow(project, requests.by_id(row.id))
    elif target is not None:
        requests.follow(project, requests.by_id(row.id))
    return await shown(call, project, requests.by_id(row.id))


async def delete(call: Call) -> Response:
    project, row = wanted(call, may.OWNER)
    call.instance.merge_requests.delete(project, row)
    call.audit("delete merge request", f"{project.full_path}!{row.iid}")
    return Response(status_code=204)


async def list_pipelines(call: Call) -> Response:
    project, row = wanted(call, reading(call))
    return paged_query(
        call,
        call.instance.merge_requests.pipelines(project.id, row),
        lambda found: shapes.pipeline_basic(call, found, project.full_path),
        [t.pipelines.c.id.desc()],
    )


async def create_pipeline(call: Call) -> Response:
    project, row = wanted(call, may.DEVELOPER)
    call.limit("create pipeline", str(call.user().user_id), call.instance.settings.pipelines_a_minute)
    return await created(call, order_for(call.instance, project, call.user(), row))


async def list_commits(call: Call) -> Response:
    project, row = wanted(call)
    facts = facts_of(row)
    between = f"{facts.base}..{row.sha}" if facts.base else row.sha
    found = await asyncio.to_thread(git.commits, Path(project.path), between)
    return paged(call, found, lambda item: commits.commit(call, item, project.full_path))


def wanted(call: Call, level: int | None = None) -> tuple[Any, Any]:
    """The project, and the merge request that the path names."""
    project = call.project(reading_code(call) if level is None else level)
    row = call.instance.merge_requests.find(project.id, call.number("merge_request_iid"))
    if row is None:
        raise no_record()
    return project, row


def _labels(call: Call, name: str) -> list[str]:
    """Labels as a list, or as a text with commas."""
    value = call.values.get(name)
    texts = [str(item) for item in value] if isinstance(value, list) else call.text(name).split(",")
    return list(dict.fromkeys(text.strip() for text in texts if text.strip()))


def _assignees(call: Call) -> list[int]:
    """The numbers of users that are there; 0 stands for nobody."""
    single = call.integer("assignee_id")
    numbers = call.listed("assignee_ids") if call.given("assignee_ids") else [single or 0]
    wanted = [int(str(number)) for number in numbers if str(number).isdecimal() and len(str(number)) < 10]
    return [number for number in wanted if number and call.instance.accounts.user(number) is not None]


_ALL = "/projects/{id}/merge_requests"
ONE = _ALL + "/{merge_request_iid}"
"""The path of one merge request."""
_LISTED = (
    f"{PAGE} state:opened|closed|merged|locked|all scope:{'|'.join(SCOPES)} source_branch target_branch "
    "author_id:int author_username labels:any search created_after:ts created_before:ts "
    "updated_after:ts updated_before:ts order_by:created_at|updated_at|title sort:asc|desc"
)
_FIELDS = "description labels:any assignee_id:int assignee_ids:list squash:bool remove_source_branch:bool"
_CHANGED = f"title target_branch state_event:close|reopen add_labels:any remove_labels:any {_FIELDS}"
ENDPOINTS = [
    Endpoint("GET", "/merge_requests", list_all, takes=_LISTED, gives="[MergeRequestBasic]"),
    Endpoint("GET", _ALL, list_of_project, takes=f"{_LISTED} iids:list", gives="[MergeRequestBasic]"),
    Endpoint(
        "POST",
        _ALL,
        create,
        takes=f"title! source_branch! target_branch! target_project_id:int {_FIELDS}",
        gives="MergeRequest",
    ),
    Endpoint("GET", ONE, show, takes="include_rebase_in_progress:bool", gives="MergeRequest"),
    Endpoint("PUT", ONE, change, takes=_CHANGED, gives="MergeRequest"),
    Endpoint("DELETE", ONE, delete, gives="-"),
    Endpoint("GET", ONE + "/pipelines", list_pipelines, takes=PAGE, gives="[PipelineBasic]"),
    Endpoint("POST", ONE + "/pipelines", create_pipeline, gives="Pipeline"),
    Endpoint("GET", ONE + "/commits", list_commits, takes=PAGE, gives="[Commit]"),
]
