"""What makes an object invalid, kind by kind, in Kubernetes' words.

Each kind's file collects causes; `create` and `update` raise them all as one ApiError 422.
"""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.errors import invalid
from shipline.cluster.api.resources import Resource
from shipline.cluster.api.validation.causes import Causes
from shipline.cluster.api.validation.metadata import check_metadata, check_metadata_update

Json = dict[str, Any]


def create(resource: Resource, obj: Json) -> None:
    """Refuse an invalid new object."""
    causes = Causes()
    check_metadata(causes, resource, obj["metadata"])
    _refuse(resource, obj, causes)


def update(resource: Resource, new: Json, old: Json, subresource: str | None) -> None:
    """Refuse an invalid change."""
    causes = Causes()
    check_metadata_update(causes, new["metadata"], old["metadata"])
    check_metadata(causes, resource, new["metadata"])
    _refuse(resource, new, causes)


def _refuse(resource: Resource, obj: Json, causes: Causes) -> None:
    if causes.found:
        raise invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), causes.found)
