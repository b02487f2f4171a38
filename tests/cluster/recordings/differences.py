"""Where the embedded cluster answers otherwise than the real one on purpose, each with its reason.

Nothing else may differ. A difference is either of the text (a pattern that stands for what differs, applied to both
sides), of lines (those that match are left out on both sides), or of a whole step.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One difference with its reason.

    `recording` and `command` say where it holds (patterns; all by default). Exactly one of `drop` (lines to leave
    out), `same` (a pattern and what stands for it) and `mode` says what becomes of it; a `mode` is `ignored` (the
    step runs, its answer isn't compared), `status` (the exit status alone is compared) or `subset` (each recorded
    line has to be answered, others may be).
    """

    reason: str
    recording: str = ""
    command: str = ""
    drop: str = ""
    same: tuple[str, str] | None = None
    mode: str = ""

    def holds(self, recording: str, command: str) -> bool:
        return recording.startswith(self.recording) and re.search(self.command, command) is not None


SCOPE = "API groups that the embedded cluster doesn't serve"
DNS = "that cluster had no DNS service; ours has one"
RACE = "what is seen depends on how quick the machine is"
ENGINE = "the engine's own words"
LEAVING = "how many pods are still on their way out depends on how quick the steps before were"

DIFFERENCES = (
    Difference(DNS, drop=r"MissingClusterDNS|kubelet does not have ClusterDNS IP"),
    Difference("cgroups are the container engine's affair", drop=r"CgroupV1"),
)


def prepare(recording: str, command: str, lines: list[str]) -> list[str]:
    """The lines of an answer without what may differ."""
    for difference in DIFFERENCES:
        if not difference.holds(recording, command):
            continue
        if difference.drop:
            lines = [line for line in lines if not re.search(difference.drop, line)]
        if difference.same is not None:
            lines = [re.sub(*difference.same, line) for line in lines]
    return lines


def mode(recording: str, command: str) -> str:
    """How a step is compared: "" for fully."""
    modes = (one.mode for one in DIFFERENCES if one.mode and one.holds(recording, command))
    return next(modes, "")
