"""only and except: whether an older kind of job belongs to this pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shipline.language.context import Context
from shipline.language.expressions import holds
from shipline.language.globs import any_match
from shipline.language.patterns import BadPattern, looks_slashed, slashed

DEFAULT_ONLY = {"refs": ["branches", "tags"]}


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
    """One entry of refs: a keyword, a source, a name or a pattern, perhaps with the path of a project after @.

    Names and patterns count only for branches and tags, never for merge requests.
    """
    pattern, at, path = ref.partition("@")
    if at and path != context.project_path:
        return False
    merge_request = context.for_merge_request
    if pattern == ("tags" if context.tag else "branches") and not merge_request:
        return True
    source = context.source.removesuffix("_event")
    if pattern in (source, plural(source)):
        return True
    if merge_request:
        return False
    if not looks_slashed(pattern):
        return pattern == context.ref
    try:
        return slashed(pattern).found_in(context.ref)
    except BadPattern:
        return False


def plural(word: str) -> str:
    """`push` to `pushes`."""
    return word + "es" if word.endswith(("sh", "ch", "s", "x")) else word + "s"
