"""Times whole commands against each other: runs take turns, so that a noisy minute hits both alike.

Figures are wall seconds of the whole process, the median of the runs; what counts is the ratio of one row to
another of the same run, since a single figure tells more of the machine than of the program.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SHIPLINE = str(Path(sys.executable).parent / "shipline")


@dataclass
class Case:
    """One row: a name, and a callable that does the work once. `prepare` runs before each, uncounted."""

    name: str
    work: Callable[[], object]
    prepare: Callable[[], object] = lambda: None
    seconds: list[float] = field(default_factory=list)


def command(*argv: str, cwd: Path | None = None) -> Callable[[], object]:
    """The work of running a command to its end; an exit status that isn't 0 stops the benchmark with its output."""

    def run() -> None:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    return run


def compare(title: str, cases: Sequence[Case], runs: int = 5) -> None:
    """Prints median, minimum and maximum of each case, and its ratio to the last one, the yardstick."""
    for turn in range(runs + 1):
        for case in cases:
            case.prepare()
            start = time.perf_counter()
            case.work()
            if turn:  # the first turn warms up
                case.seconds.append(time.perf_counter() - start)
    yardstick = statistics.median(cases[-1].seconds)
    print(f"\n{title}\n{'':42}{'median':>9}{'min':>9}{'max':>9}{'ratio':>9}")
    for case in cases:
        middle = statistics.median(case.seconds)
        row = f"{middle:9.3f}{min(case.seconds):9.3f}{max(case.seconds):9.3f}{middle / yardstick:9.2f}"
        print(f"{case.name:42}{row}", flush=True)


def repository(ci: str) -> Path:
    """A new git repository with one commit that holds `ci` as its `.gitlab-ci.yml`."""
    path = Path(tempfile.mkdtemp(prefix="shipline-benchmark-"))
    (path / ".gitlab-ci.yml").write_text(ci)
    for argv in (
        ["init", "-q", "-b", "main"],
        ["add", "."],
        ["-c", "user.name=Bench", "-c", "user.email=bench@example.com", "commit", "-qm", "Measure"],
    ):
        subprocess.run(["git", *argv], cwd=path, check=True)
    return path
