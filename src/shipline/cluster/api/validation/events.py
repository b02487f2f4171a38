"""Events: they lie in the namespace of what they are about."""

from __future__ import annotations

from typing import Any

from shipline.cluster.api.validation.causes import Causes

Json = dict[str, Any]


def check_event(causes: Causes, event: Json) -> None:
    """An Event by itself."""
    namespace = event["metadata"].get("namespace", "")
    about = (event.get("involvedObject") or {}).get("namespace", "")
    if about != namespace and not (about == "" and namespace in ("default", "kube-system")):
        causes.invalid("involvedObject.namespace", about, "does not match event.namespace")
