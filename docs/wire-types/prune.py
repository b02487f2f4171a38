"""Prints, of all schemas in the file named, those that the resources served by the embedded cluster need."""

import json
import sys
from typing import Any

from shipline.cluster.api.resources import RESOURCES

BESIDE = {
    ("autoscaling", "v1", "Scale"),
    ("policy", "v1", "Eviction"),
    ("authentication.k8s.io", "v1", "TokenRequest"),
    ("", "v1", "Status"),
    ("", "v1", "DeleteOptions"),
}
META = "io.k8s.apimachinery.pkg.apis.meta.v1."


def referred(value: Any, schemas: dict[str, Any], found: set[str]) -> None:
    """Add the names of all schemas that a value refers to, and what these refer to."""
    if isinstance(value, list):
        for item in value:
            referred(item, schemas, found)
    elif isinstance(value, dict):
        name = str(value.get("$ref", "")).rpartition("/")[2]
        if name and name not in found:
            found.add(name)
            referred(schemas[name], schemas, found)
        for item in value.values():
            referred(item, schemas, found)


def main() -> None:
    """The command line."""
    with open(sys.argv[1]) as file:
        schemas: dict[str, Any] = json.load(file)
    wanted = BESIDE | {(r.group, r.version, r.kind) for r in RESOURCES}
    found = {name for name in schemas if name.startswith(META)}
    for name, schema in schemas.items():
        for gvk in schema.get("x-kubernetes-group-version-kind", ()):
            if (gvk["group"], gvk["version"], gvk["kind"].removesuffix("List")) in wanted:
                found.add(name)
    for name in list(found):
        referred(schemas[name], schemas, found)
    print(json.dumps({name: schemas[name] for name in sorted(found)}, separators=(",", ":")))


if __name__ == "__main__":
    main()
