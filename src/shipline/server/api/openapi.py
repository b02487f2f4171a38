"""The OpenAPI document of the API, made of the routes' tables: GET /api/v4/openapi.json."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from starlette.responses import Response

from shipline.server.api.schemas import SHAPES
from shipline.server.http.call import Call
from shipline.server.http.forms import Field, Schema, field_schema, fields, object_schema, schema
from shipline.server.http.routes import Endpoint
from shipline.server.instance import VERSION

NUMBERS = frozenset(
    [
        *("pipeline_id", "job_id", "runner", "runner_id", "schedule", "trigger_id", "user", "environment_id"),
        *("deployment_id", "token_id", "project_id", "target_project_id"),
    ]
)
"""The parts of paths that are numbers; the others are texts, such as a project's number or path."""
ERROR: Schema = {"type": "object", "properties": {"message": {}, "error": {}, "error_description": {}}}
REFUSALS = {
    "400": "Something about the call is not as it must be",
    "401": "No caller, or one whose token is not known",
    "403": "The caller may not do this",
    "404": "Not there, or not for this caller to see",
    "405": "Not with this method, or not in pages of this kind",
    "409": "It is there already, or busy",
    "413": "Too large",
    "416": "Not at this place",
    "422": "It cannot be done",
    "429": "Asked too often",
}
UNCHANGED = "As it was before, or as the caller has it already"
METHODS_WITH_BODY = ("POST", "PUT", "PATCH")


def endpoints(base: str, others: Sequence[Endpoint]) -> list[Endpoint]:
    """The endpoint that serves the document of all the others, and of itself."""
    made: list[dict[str, Any]] = []

    async def show(call: Call) -> Response:
        """The OpenAPI document of this API."""
        if not made:
            made.append(document(base, [*others, *own]))
        return call.json(made[0])

    own = [Endpoint("GET", "/openapi.json", show, gives="hash")]
    return own


def document(base: str, table: Iterable[Endpoint]) -> dict[str, Any]:
    """The document of all endpoints of a table, whose paths are below `base`."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in table:
        path = base + re.sub(r":path\}", "}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Shipline",
            "version": VERSION,
            "description": "GitLab's REST API v4, as far as this server speaks it.",
        },
        "paths": paths,
        "components": {
            "schemas": {name: object_schema(text) for name, text in SHAPES.items()} | {"Error": ERROR},
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "PRIVATE-TOKEN"},
                "job": {"type": "apiKey", "in": "header", "name": "JOB-TOKEN"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"token": []}, {"job": []}, {"bearer": []}, {}],
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    taken = fields(endpoint.takes)
    in_path = re.findall(r"\{(\w+)(?::path)?\}", endpoint.path)
    named = re.sub(r"\W+", "_", f"{endpoint.method.lower()}{endpoint.path}").strip("_")
    made: dict[str, Any] = {
        "operationId": named,
        "summary": _summary(endpoint),
        "tags": [next((part for part in reversed(endpoint.path.split("/")) if part.isalpha()), "")],
        "parameters": [_path_parameter(name) for name in in_path],
        "responses": {str(endpoint.success): _answer(endpoint), "304": {"description": UNCHANGED}}
        | {
            status: {"description": text, "content": _json({"$ref": "#/components/schemas/Error"})}
            for status, text in REFUSALS.items()
        },
    }
    if endpoint.method not in METHODS_WITH_BODY:
        made["parameters"] += [_query_parameter(field) for field in taken]
    elif any(field.type == "file" for field in taken):
        made["requestBody"] = {"content": {"multipart/form-data": {"schema": _body(taken)}}, "required": True}
    elif taken:
        required = any(field.required for field in taken)
        made["requestBody"] = {"content": _json(_body(taken)), "required": required}
    return made


def _summary(endpoint: Endpoint) -> str:
    text = (endpoint.handler.__doc__ or "").strip().split("\n")[0]
    return text or endpoint.handler.__name__.replace("_", " ")


def _path_parameter(name: str) -> Schema:
    kind = schema("int") | {"minimum": 0} if name in NUMBERS else {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": kind}


def _query_parameter(field: Field) -> Schema:
    made: Schema = {"name": field.name, "in": "query", "required": field.required, "schema": field_schema(field)}
    if field.type in ("list",) or field.type.startswith("["):
        made |= {"name": f"{field.name}[]", "schema": {"type": "array", "items": {"type": "string"}}}
    elif field.type == "hash":
        made |= {"style": "deepObject", "explode": True}
        made["schema"] = {"type": "object", "additionalProperties": {"type": "string"}}
    return made


def _body(taken: Sequence[Field]) -> Schema:
    made: Schema = {"type": "object", "properties": {field.name: field_schema(field) for field in taken}}
    if required := [field.name for field in taken if field.required]:
        made["required"] = required
    return made


def _answer(endpoint: Endpoint) -> Schema:
    described: Schema = {"description": "Success"}
    if endpoint.gives in ("text", "file"):
        return described | {"content": {"*/*": {"schema": schema("file")}}}
    if endpoint.gives and endpoint.gives != "-":
        described["content"] = _json(schema(endpoint.gives))
    return described


def _json(form: Schema) -> Schema:
    return {"application/json": {"schema": form}}
