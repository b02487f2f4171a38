"""artifacts: files that a job keeps, and reports that GitLab reads."""

from __future__ import annotations

import re
from typing import Any

from shipline.language.durations import seconds
from shipline.language.entry import Entry, boolean, is_strings, one_of, required, strings, text
from shipline.language.values import Map

KEYS = ("name", "untracked", "paths", "reports", "when", "expire_in", "expose_as", "exclude", "public", "access")
WHEN = ("on_success", "on_failure", "always")
ACCESS = ("none", "developer", "maintainer", "all")
REPORTS = (
    "junit",
    "codequality",
    "sast",
    "secret_detection",
    "dependency_scanning",
    "container_scanning",
    "cluster_image_scanning",
    "dast",
    "performance",
    "browser_performance",
    "load_performance",
    "license_scanning",
    "metrics",
    "lsif",
    "dotenv",
    "terraform",
    "accessibility",
    "coverage_fuzzing",
    "api_fuzzing",
    "cluster_applications",
    "requirements",
    "requirements_v2",
    "coverage_report",
    "cyclonedx",
    "annotations",
    "repository_xray",
    "sarif",
)
COVERAGE_FORMATS = ("cobertura", "jacoco")
MAX_EXPOSE_AS = 100
EXPOSE_AS = re.compile(r"\w[-\w ]*\Z")


def artifacts(entry: Entry) -> dict[str, Any] | None:
    """`artifacts:` with lists as lists; keys that are not written are missing."""
    if not isinstance(entry.value, Map):
        entry.refuse("config should be a hash")
        return None
    entry.only(*KEYS)
    entry.together("public", "access")
    found: dict[str, Any] = {
        "name": text(entry, "name"),
        "untracked": boolean(entry, "untracked"),
        "paths": strings(entry, "paths"),
        "exclude": strings(entry, "exclude"),
        "when": one_of(entry, "when", WHEN),
        "expire_in": expiry(entry),
        "expose_as": expose_as(entry),
        "public": boolean(entry, "public"),
        "access": one_of(entry, "access", ACCESS),
    }
    if isinstance(entry.value.get("reports"), Map):
        found["reports"] = reports(entry.child("reports"))
    elif entry.value.get("reports") is not None:
        entry.refuse_key("reports", "should be a hash")
    return {key: value for key, value in found.items() if value is not None}


def expiry(entry: Entry) -> str | None:
    """`expire_in:`, a duration or never."""
    value = entry.value.get("expire_in")
    if value is None:
        return None
    if not isinstance(value, str) or (value != "never" and seconds(value) is None):
        entry.refuse_key("expire_in", "should be a duration", "for example 1 week, or never")
        return None
    return value


def expose_as(entry: Entry) -> str | None:
    shown = text(entry, "expose_as")
    if shown is None:
        return None
    if len(shown) > MAX_EXPOSE_AS:
        entry.refuse_key("expose_as", f"is too long (maximum is {MAX_EXPOSE_AS} characters)")
    elif not EXPOSE_AS.match(shown):
        entry.refuse_key("expose_as", "can contain only letters, digits, '-', '_' and spaces")
    if required(entry, "paths") and is_strings(entry.value["paths"]) and "*" in "".join(entry.value["paths"]):
        entry.refuse_key("paths", "can't contain '*' when used with 'expose_as'")
    return shown


def reports(entry: Entry) -> dict[str, Any]:
    """The mapping of `reports:`, each a list of paths; coverage_report is a mapping itself."""
    entry.only(*REPORTS)
    found: dict[str, Any] = {}
    for key in [key for key in entry.value if key in REPORTS]:  # in the order in which they are written
        value = entry.value[key]
        if value is None:
            continue
        if key == "coverage_report":
            found[key] = coverage_report(entry.child(key))
        elif isinstance(value, str):
            found[key] = [value]
        elif is_strings(value):
            found[key] = list(value)
        else:
            entry.refuse_key(key, "should be an array of strings or a string")
    return found


def coverage_report(entry: Entry) -> dict[str, Any] | None:
    if not isinstance(entry.value, Map):
        entry.refuse("should be a hash")
        return None
    entry.only("coverage_format", "path")
    if required(entry, "coverage_format"):
        supported = f"must be one of supported formats: {', '.join(COVERAGE_FORMATS)}"
        one_of(entry, "coverage_format", COVERAGE_FORMATS, supported)
    if required(entry, "path"):
        text(entry, "path")
    return dict(entry.value)
