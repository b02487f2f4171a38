"""A project's merge requests, and one of them with its pipelines, notes and what can be done with it."""

from __future__ import annotations

from starlette.responses import Response

from shipline.server.api import merge_request_diffs as diffs_api
from shipline.server.api import merge_requests as api
from shipline.server.api import merging as merging_api
from shipline.server.api import notes as notes_api
from shipline.server.api import projects as projects_api
from shipline.server.permissions import DEVELOPER
from shipline.server.web.page import Page, missing

STATES = ("opened", "merged", "closed", "all")
CHANGES = {"close": "closed", "reopen": "opened again"}


async def index(page: Page) -> Response:
    project = await page.ask(projects_api.show_project, id=page.project)
    asked, at = page.request.query_params.get("state", "opened"), page.request.query_params.get("page", "1")
    state = asked if asked in STATES else "opened"
    wanted = {"state": state, "per_page": 20, "page": int(at) if at.isdigit() and 0 < len(at) < 6 else 1}
    found = await page.ask(api.list_of_project, wanted, id=str(project["id"]))
    return page.show(
        "merge_requests.html",
        project=project,
        requests=found,
        state=state,
        states=STATES,
        at=wanted["page"],
        more=len(found) == wanted["per_page"],
    )


async def show(page: Page) -> Response:
    project = await page.ask(projects_api.show_project, id=page.project)
    place = {"id": str(project["id"]), "merge_request_iid": page.path["iid"]}
    request = await page.ask(api.show, None, **place)
    level = page.instance.projects.level(page.instance.projects.find(place["id"]), page.caller)
    return page.show(
        "merge_request.html",
        project=project,
        request=request,
        pipelines=await page.ask(api.list_pipelines, {"per_page": 100}, **place),
        changes=await page.ask(diffs_api.diffs, {"per_page": 100}, **place),
        approvals=await page.ask(merging_api.approvals, None, **place),
        notes=await page.ask(notes_api.list_notes, {"per_page": 100, "sort": "asc"}, **place)
        if page.caller
        else [],
        may_change=level >= DEVELOPER,
    )


async def act(page: Page) -> Response:
    """Merge, at once or later; close, reopen, approve, say something."""
    place = {"id": page.project, "merge_request_iid": page.path["iid"]}
    action, said = page.path["action"], ""
    if action == "merge":
        done = await page.ask(merging_api.merge, {"sha": page.values.get("sha", "")}, **place)
        said = f"The branch is merged: {done['merge_commit_sha'][:8]}."
    elif action == "merge_later":
        wish = {"sha": page.values.get("sha", ""), "auto_merge": True}
        done = await page.ask(merging_api.merge, wish, **place)
        said = (
            "It is merged." if done["state"] == "merged" else "It will be merged when its pipeline has succeeded."
        )
    elif action == "cancel_merge":
        await page.ask(merging_api.cancel_merge, None, **place)
        said = "It is not merged by itself any more."
    elif action in CHANGES:
        await page.ask(api.change, {"state_event": action}, **place)
        said = f"The merge request is {CHANGES[action]}."
    elif action in ("approve", "unapprove"):
        handler = merging_api.approve if action == "approve" else merging_api.unapprove
        await page.ask(handler, None, **place)
    elif action == "run":
        made = await page.ask(api.create_pipeline, None, **place)
        return page.go(f"/{page.project}/-/pipelines/{made['id']}")
    elif action == "notes":
        await page.ask(notes_api.create, {"body": page.values.get("body", "")}, **place)
    else:
        raise missing()
    return page.go(f"/{page.project}/-/merge_requests/{page.path['iid']}", said)
