"""An explanation of a job as text: sections of lines, and the flow of one variable."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shipline.language import Explanation
    from shipline.language.conditions import Verdict
    from shipline.language.explain import VariableTrace
    from shipline.language.values import Place

WIDTH = 60
SCRIPTS = ("before_script", "script", "after_script")
LEVELS = {
    "predefined": "predefined",
    "global": "top-level variables",
    "workflow": "workflow:rules",
    "job": "the job's variables",
    "matrix": "parallel:matrix",
    "rules": "the matching rule",
    "instance": "the instance's settings",
    "group": "the group's settings",
    "project": "the project's settings",
    "pipeline": "given to this pipeline",
}


def as_text(found: Explanation, everything: bool) -> str:
    """All of an explanation."""
    state = click.style("is added", "green") if found.added else click.style("is not added", "yellow")
    lines = [f"{click.style(found.name, bold=True)} ({at(found.place)}) {state}: {found.why}."]
    if found.workflow:
        lines += ["", "workflow:rules", *(rule(number, item) for number, item in enumerate(found.workflow, 1))]
    if found.rules:
        lines += ["", "rules", *(rule(number, item) for number, item in enumerate(found.rules, 1))]
    if found.values:
        width = max(len(item.key) for item in found.values)
        lines += ["", "values"]
        for item in found.values:
            source = item.via + (f", {at(item.place)}" if item.place.line else "")
            lines.append(f"  {item.key.ljust(width)}  {short(item.value)}")
            lines.append(f"  {' ' * width}    from {source}")
    shown = [item for item in found.variables if everything or item.level != "predefined" or item.overridden]
    if shown:
        lines += ["", "variables"]
        for trace in shown:
            lines += variable(trace)
    return "\n".join(lines)


def at(place: Place) -> str:
    return f"{place.file}:{place.line}" if place.line else "not in a file"


def short(value: Any) -> str:
    """A value on one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


def rule(number: int, item: Verdict) -> str:
    """One rule with its verdict."""
    if not item.tried:
        mark = click.style("-", dim=True)
    else:
        mark = click.style("✓", "green") if item.matched else click.style("✗", "red")
    outcome = f" -> when: {item.rule.when}" if item.matched and item.rule.when else ""
    return f"  {mark} {number}. {at(item.rule.place)}  {item.why}{outcome}"


def variable(trace: VariableTrace) -> list[str]:
    """One variable with its level and what it won over."""
    place = f", {at(trace.place)}" if trace.place.line else ""
    lines = [f"  {trace.key} = {short(trace.value)}", f"      {LEVELS.get(trace.level, trace.level)}{place}"]
    if trace.written != trace.value:
        lines.append(f"      written {short(trace.written)}")
    return [*lines, *(f"      {line}" for line in overridden(trace))]


def overridden(trace: VariableTrace) -> list[str]:
    """What a variable's value has won over."""
    return [
        f"over {LEVELS.get(other.level, other.level)}: {'[MASKED]' if other.masked else short(other.value)}"
        for other in trace.overridden
    ]


def flow(found: Explanation, name: str) -> str:
    """How one variable gets its value, from what it reads down to where the job uses it."""
    traces = {trace.key: trace for trace in found.variables}
    if name not in traces:
        known = "it may be set when the job runs" if name.startswith(("CI_", "GITLAB_")) else "nothing sets it"
        return f"{name}: no variable of {found.name} has this name; {known}."
    steps: list[list[str]] = []
    gather(name, traces, steps, [])
    uses = usages(found, name)
    if uses:
        steps.append([f"{found.name} uses it", *uses])
    return "\n       │\n       ↓\n".join(box(step) for step in steps)


def gather(name: str, traces: dict[str, VariableTrace], steps: list[list[str]], seen: list[str]) -> None:
    """Collects the steps of a variable: first those of what it reads, then its own."""
    if name in seen:
        return
    seen.append(name)
    trace = traces.get(name)
    if trace is None:
        steps.append([f"{name}: known when the job runs" if name.startswith("CI_") else f"{name}: nothing sets it"])
        return
    for other in trace.reads:
        gather(other, traces, steps, seen)
    place = f" ({at(trace.place)})" if trace.place.line else ""
    lines = [f"{LEVELS.get(trace.level, trace.level)}{place}", f"{trace.key} = {short(trace.value)}"]
    if trace.written != trace.value:
        lines.append(f"written as {short(trace.written)}")
    steps.append([*lines, *overridden(trace)])


def usages(found: Explanation, name: str) -> list[str]:
    """The lines of a job that name a variable."""
    named = re.compile(rf"\$\{{?{re.escape(name)}(?![A-Za-z0-9_])|%{re.escape(name)}%")
    lines = []
    for item in found.values:
        if item.key in SCRIPTS:
            lines += [f"{item.key}: {short(line)}" for line in item.value if named.search(line)]
        elif named.search(json.dumps(item.value, ensure_ascii=False)):
            lines.append(f"{item.key}: {short(item.value)}")
    for trace in found.variables:
        if name in trace.reads:
            lines.append(f"variables: {trace.key} = {short(trace.written)}")
    return lines


def box(lines: list[str]) -> str:
    """Lines in a frame."""
    width = max(len(line) for line in lines)
    framed = [f"│ {line.ljust(width)} │" for line in lines]
    return "\n".join([f"┌{'─' * (width + 2)}┐", *framed, f"└{'─' * (width + 2)}┘"])
