"""A recording: the commands somebody gave to a real Kubernetes, in order, and what each of them answered.

The files in `data/` are transcripts. One step is a fenced block that starts with `$ command` (a here-document
goes on to its `Y` line) and holds the standard output; blocks headed `standard error:` and a line `exit N`
may follow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Step:
    """One command with its answer. `number` counts from 1 within its recording."""

    number: int
    command: str
    stdout: str
    stderr: str
    status: int

    @property
    def label(self) -> str:
        first = self.command.splitlines()[0]
        return f"{self.number:02d} {first if len(first) < 90 else first[:87] + '...'}"


@dataclass(frozen=True)
class Recording:
    name: str
    steps: tuple[Step, ...]


def load(name: str) -> Recording:
    """The recording whose file name starts with `name` (`04` or `04-rollout`)."""
    paths = sorted(DATA.glob(f"{name}*.md"))
    if len(paths) != 1:
        known = ", ".join(sorted(path.stem for path in DATA.glob("*.md")))
        raise LookupError(f"{name!r} names {len(paths)} recordings; there are {known}")
    return Recording(paths[0].stem, tuple(parse(paths[0].read_text())))


def parse(text: str) -> list[Step]:
    """The steps of a transcript."""
    steps: list[Step] = []
    lines = iter(text.splitlines())
    heading = ""
    for line in lines:
        if line == "```":
            block = _block(lines)
            if heading == "standard error:" and steps:
                steps[-1] = _with(steps[-1], stderr=block)
            else:
                command, stdout = _split(block)
                steps.append(Step(len(steps) + 1, command, stdout, "", 0))
            heading = ""
        elif match := re.fullmatch(r"exit (\d+)", line):
            steps[-1] = _with(steps[-1], status=int(match[1]))
        elif line.strip():
            heading = line
    return steps


def _block(lines: object) -> str:
    """The text up to the closing fence, which follows the last line at once when that had no line end."""
    content = ""
    for line in lines:  # type: ignore[attr-defined]
        if line.endswith("```"):
            return content + line[:-3]
        content += line + "\n"
    raise ValueError("a fenced block of the recording has no end")


def _split(block: str) -> tuple[str, str]:
    if not block.startswith("$ "):
        raise ValueError(f"a step has to start with '$ ', not with {block[:40]!r}")
    lines = block[2:].splitlines(keepends=True)
    length = 1
    if "<<'Y'" in lines[0]:
        length = lines.index("Y\n") + 1
    return "".join(lines[:length]).rstrip("\n"), "".join(lines[length:])


def _with(step: Step, stderr: str | None = None, status: int | None = None) -> Step:
    return Step(
        step.number,
        step.command,
        step.stdout,
        step.stderr if stderr is None else stderr,
        step.status if status is None else status,
    )
