"""only and except: whether an older kind of job belongs to this pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shipline.language.context import Context
from shipline.language.expressions import holds
from shipline.language.globs import any_match
from shipline.language.patterns import BadPattern, looks_slashed, slashed

DEFAULT_ONLY = {"refs": ["branches", "tags"]}
SOURCES = {"merge_request_event": "merge_requests", "external_pull_request_event": "external_pull_requests"}


def admitted(
    only: dict[str, Any] | None, except_: dict[str, Any] | None, context: Context, values: Mapping[str, str | None]
) -> tuple[bool, str]:
    """Whether the job is added, and why: of `only` every kind must hold, of `except` none may."""
    for kind in (only or {}).items():
        if not satisfied(*kind, context, values):
            return False, f"only:{kind[0]} does not hold"
    for kind in (except_ or {}).items():
        if satisfied(*kind, context, values):
            return False, f"except:{kind[0]} holds"
    return True, "only and except let it in"


def satisfied(kind: str, what: Any, context: Context, values: Mapping[str, str | None]) -> bool:
    if kind == "refs":
        return any(matches_ref(ref, context) for ref in what)
    if kind == "variables":
        return any(holds(text, values) for text in what)
    if kind == "changes":
        return context.changed is None or any_match(what, context.changed) is not None
    return context.kubernetes_active


def matches_ref(ref: str, context: Context) -> bool:
    """One entry of refs: a keyword, a source, a name or a pattern, perhaps with the path of a project."""
    pattern, _, path = ref.rpartition("@") if "@" in ref and not looks_slashed(ref) else (ref, "", "")
    if path and path != context.project_path:
        return False
    merge_request = context.source == "merge_request_event"
    if pattern == "tags":
        return context.tag
    if pattern == "branches":
        return not context.tag and not merge_request and context.source != "external_pull_request_event"
    source = SOURCES.get(context.source, context.source)
    if pattern in (source, f"{source}s", plural(source)):
        return True
    if looks_slashed(pattern):
        try:
            return slashed(pattern).found_in(context.ref)
        except BadPattern:
            return False
    return pattern == context.ref


def plural(word: str) -> str:
    """`push` to `pushes`."""
    return word + "es" if word.endswith(("sh", "ch", "s", "x")) else word + "s"
