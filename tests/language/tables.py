"""The tables of GitLab's behaviour in `data/`, and how a case of each is played. See data/README.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from shipline.language import Context, MergeRequest, Variable

DATA = Path(__file__).parent / "data"
DOUBTS = json.loads((DATA / "doubts.json").read_text())
CONTEXT_KEYS = ("ref", "tag", "source", "changed", "files")


def cases(table: str) -> list[dict[str, Any]]:
    """The cases of a table, without those that only an editor would refuse."""
    lines = (DATA / f"{table}.jsonl").read_text().splitlines()
    read = [json.loads(line) for line in lines]
    numbered = [{"id": str(number), **case} for number, case in enumerate(read, 1)]
    return [corrected(table, case) for case in numbered if not case.get("schema_only")]


def corrected(table: str, case: dict[str, Any]) -> dict[str, Any]:
    """A case with what we expect instead, where doubts.json says why."""
    doubt = DOUBTS.get(f"{table}/{case['id']}")
    if not doubt:
        return case
    kept = {key: value for key, value in case.items() if key not in doubt.get("without", ())}
    return {**kept, **doubt["instead"]}


def name(case: dict[str, Any]) -> str:
    return str(case["id"])


def context(facts: dict[str, Any] | None) -> Context:
    """The circumstances that a case names; everything else is a push of branch main."""
    facts = facts or {}
    values: dict[str, Any] = {key: facts[key] for key in CONTEXT_KEYS if key in facts}
    if values.get("source") == "merge_request_event":
        values["merge_request"] = MergeRequest()
    if "project" in facts:
        values["project_path"] = facts["project"]
    values["variables"] = [Variable(key, value) for key, value in (facts.get("variables") or {}).items()]
    return Context(**values)


def words(text: str) -> set[str]:
    """The words of a message, for comparing what it is about."""
    return set(re.findall(r"[a-z0-9_.]+", text.lower().replace("_", " ")))


def differences(want: Any, got: Any, path: str = "") -> list[str]:
    """Where a value differs from what a case says about it; keys that the case leaves out are free."""
    if isinstance(want, dict) and isinstance(got, dict):
        return [line for key in want for line in differences(want[key], got.get(key), f"{path}.{key}")]
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        pairs = enumerate(zip(want, got, strict=True))
        return [
            line
            for place, (one, other) in pairs
            for line in differences(one, named(one, other), f"{path}[{place}]")
        ]
    same = want == got and isinstance(want, bool) == isinstance(got, bool)
    return [] if same else [f"{path}: expected {want!r}, found {got!r}"]


def named(want: Any, got: Any) -> Any:
    """A need by its job's name where the case names it so."""
    return got.get("job") if isinstance(want, str) and isinstance(got, dict) else got
