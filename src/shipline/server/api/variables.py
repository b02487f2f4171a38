"""CI/CD variables of projects, of groups and of the instance."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.responses import Response

from shipline.engine.errors import EngineError
from shipline.engine.records import ProjectVariable
from shipline.engine.variable_rules import check
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.api.groups import wanted_group
from shipline.server.api.shapes import Shape
from shipline.server.http.answers import Refusal, no_such, refusal
from shipline.server.http.call import Call
from shipline.server.http.paging import PAGE, paged
from shipline.server.http.routes import Endpoint
from shipline.server.store import INSTANCE

KINDS = ("env_var", "file")
SEVERAL = "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'"


class Kept(msgspec.Struct):
    """A variable with what the engine does not ask about."""

    variable: ProjectVariable
    hidden: bool
    description: str | None


def _owner(call: Call) -> int:
    """Whose variables the path is about."""
    if "id" in call.path:
        return int(call.project(may.MAINTAINER).id)
    if "group" in call.path:
        return -int(wanted_group(call, may.OWNER).id)
    call.administrator()
    return INSTANCE


async def list_variables(call: Call) -> Response:
    owner = _owner(call)
    return paged(call, _kept(call, owner), lambda kept: _shape(kept, owner))


async def show(call: Call) -> Response:
    owner = _owner(call)
    return call.json(_shape(_wanted(call, owner), owner))


async def create(call: Call) -> Response:
    owner = _owner(call)
    call.required("key", "value")
    variable = ProjectVariable(
        call.text("key"),
        call.text("value"),
        "file" if call.choice("variable_type", KINDS, "env_var") == "file" else "env_var",
        call.boolean("masked") or call.boolean("masked_and_hidden"),
        call.boolean("protected"),
        call.boolean("raw"),
        call.text("environment_scope") or "*" if owner else "*",
    )
    if any(_same(kept.variable, variable) for kept in _kept(call, owner)):
        raise Refusal(400, {"message": {"key": [f"({variable.key}) has already been taken"]}})
    description = call.text("description") or None
    kept = _save(call, owner, Kept(variable, bool(owner) and call.boolean("masked_and_hidden"), description))
    return call.json(_shape(kept, owner), 201)


async def change(call: Call) -> Response:
    owner = _owner(call)
    kept = _wanted(call, owner)
    old = kept.variable
    kind = call.choice("variable_type", KINDS, old.kind)
    variable = ProjectVariable(
        old.key,
        call.text("value", old.value),
        "file" if kind == "file" else "env_var",
        call.boolean("masked", old.masked) or kept.hidden,
        call.boolean("protected", old.protected),
        call.boolean("raw", old.raw),
        (call.text("environment_scope") or old.environment_scope) if owner else "*",
    )
    description = call.text("description", kept.description or "") or None
    with call.instance.database.transaction():
        call.instance.store.delete_variable(owner, old.key, old.environment_scope)
        new = _save(call, owner, Kept(variable, kept.hidden, description))
    return call.json(_shape(new, owner))


async def delete(call: Call) -> Response:
    owner = _owner(call)
    variable = _wanted(call, owner).variable
    call.instance.store.delete_variable(owner, variable.key, variable.environment_scope)
    call.audit("delete variable", f"{owner}: {variable.key}")
    return Response(status_code=204)


def _save(call: Call, owner: int, kept: Kept) -> Kept:
    variable = kept.variable
    try:
        check(variable)
    except EngineError as error:
        field = "value" if "masked" in str(error) else "key"
        text = "is invalid" if field == "value" else "can contain only letters, digits and '_'."
        raise Refusal(400, {"message": {field: [text]}}) from None
    call.instance.store.set_variable(owner, variable, kept.hidden, kept.description)
    call.audit("set variable", f"{owner}: {variable.key}")
    return kept


def _kept(call: Call, owner: int) -> list[Kept]:
    rows = call.instance.database.all(
        sa.select(t.variables).where(t.variables.c.project_id == owner).order_by(t.variables.c.id)
    )
    store = call.instance.store
    return [Kept(store.read_variable(owner, r.record, r.value), r.hidden, r.description) for r in rows]


def _wanted(call: Call, owner: int) -> Kept:
    """The variable of the path's key, in the scope asked for."""
    scope = call.mapping("filter").get("environment_scope")
    found = [
        kept
        for kept in _kept(call, owner)
        if kept.variable.key == call.path["key"] and scope in (None, kept.variable.environment_scope)
    ]
    if len(found) > 1:
        raise refusal(409, SEVERAL)
    if not found:
        raise no_such("Variable" if owner else "InstanceVariable")
    return found[0]


def _same(one: ProjectVariable, other: ProjectVariable) -> bool:
    return (one.key, one.environment_scope) == (other.key, other.environment_scope)


def _shape(kept: Kept, owner: int) -> Shape:
    variable = kept.variable
    shape: dict[str, Any] = {
        "variable_type": variable.kind,
        "key": variable.key,
        "value": None if kept.hidden else variable.value,
        "hidden": kept.hidden,
        "protected": variable.protected,
        "masked": variable.masked,
        "raw": variable.raw,
        "environment_scope": variable.environment_scope,
        "description": kept.description,
    }
    if not owner:
        del shape["hidden"], shape["environment_scope"]
    return shape


_SET = "variable_type:env_var|file protected:bool masked:bool raw:bool environment_scope description"
ENDPOINTS = [
    Endpoint(method, base + rest, handler, takes=takes, gives=gives)
    for base in ("/projects/{id}/variables", "/groups/{group}/variables", "/admin/ci/variables")
    for method, rest, handler, takes, gives in (
        ("GET", "", list_variables, PAGE, "[Variable]"),
        ("POST", "", create, f"key! value! masked_and_hidden:bool {_SET}", "Variable"),
        ("GET", "/{key}", show, "filter:hash", "Variable"),
        ("PUT", "/{key}", change, f"value filter:hash {_SET}", "Variable"),
        ("DELETE", "/{key}", delete, "filter:hash", "-"),
    )
]
