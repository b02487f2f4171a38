"""Finds symptoms in what a failed job left: its log, its pod's events."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from shipline.doctor.symptoms import SYMPTOMS, Symptom

# the end of a log tells why a job failed; a warning far above it mostly doesn't
TAIL = 64 << 10
# characters of a line that are looked at: no message is longer, and a pattern's time grows with their square
LONGEST = 2000
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ECHO = re.compile(r"^\x1b\[32;1m\$ .*$", re.MULTILINE)


class Diagnosis(msgspec.Struct, frozen=True):
    """`line` is the line that shows it. `cause` and `remedy` are sentences for the job's author."""

    name: str
    line: str
    cause: str
    remedy: str


def diagnose(found: str | bytes | Iterable[Mapping[str, Any]]) -> list[Diagnosis]:
    """What is wrong, by a job's log or a list of Kubernetes Events; each symptom once, in the table's order."""
    if isinstance(found, bytes):
        found = found.decode(errors="replace")
    if not isinstance(found, str):
        found = "\n".join(f"{event.get('reason', '')}: {event.get('message', '')}" for event in found)
    tail = _COLOUR.sub("", _ECHO.sub("", found[-TAIL:]))
    text = "\n".join(line if len(line) <= LONGEST else line[:LONGEST] for line in tail.split("\n"))
    return [diagnosis for symptom in SYMPTOMS if (diagnosis := _match(symptom, text))]


def _match(symptom: Symptom, text: str) -> Diagnosis | None:
    if symptom.unless and re.search(symptom.unless, text, re.IGNORECASE):
        return None
    match = re.search(symptom.pattern, text, re.IGNORECASE)
    if match is None:
        return None
    start = text.rfind("\n", 0, match.start()) + 1
    end = text.find("\n", match.end())
    line = text[start : end if end >= 0 else len(text)].strip()
    values = match.groupdict(default="")
    return Diagnosis(symptom.name, line, symptom.cause.format(**values), symptom.remedy.format(**values))
