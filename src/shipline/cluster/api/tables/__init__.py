"""Objects as rows, the way kubectl prints them.

Each kind has columns and a function from object to cells; `table` lays out a list. Columns of priority 1 are
shown by `-o wide`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shipline.cluster.api.resources import Resource
from shipline.cluster.api.tables import cluster, core, pods, workloads
from shipline.cluster.api.tables.columns import Column, Layout

Json = dict[str, Any]

_LAYOUTS: dict[str, Layout] = {**core.LAYOUTS, **workloads.LAYOUTS, **cluster.LAYOUTS, "pods": pods.LAYOUT}
_PLAIN = Layout(
    (Column("Name", format="name", description="The object's name."), Column("Created At", "date")),
    lambda obj: [obj["metadata"]["name"], obj["metadata"].get("creationTimestamp")],
)


def table(
    resource: Resource, objects: Sequence[Json], metadata: Json, version: str, include: str = "Metadata"
) -> Json:
    """A Table of `objects`. `metadata` is the list's; `include` is None, Metadata or Object: what each row
    carries of its object."""
    layout = _LAYOUTS.get(resource.name, _PLAIN)
    rows = [_row(layout, obj, version, include) for obj in objects]
    head = {"kind": "Table", "apiVersion": f"meta.k8s.io/{version}", "metadata": metadata}
    return {**head, "columnDefinitions": [c.definition() for c in layout.columns], "rows": rows}


def _row(layout: Layout, obj: Json, version: str, include: str) -> Json:
    # A bookmark is an object without a name: all its cells are empty.
    row: Json = {"cells": layout.cells(obj) if obj["metadata"].get("name") else [None] * len(layout.columns)}
    conditions = layout.conditions(obj)
    if conditions:
        row["conditions"] = conditions
    if include == "None":
        return row
    if include == "Object":
        return {**row, "object": obj}
    head = {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}"}
    return {**row, "object": {**head, "metadata": obj["metadata"]}}
