"""The same repositories run by Shipline and by what people would pick instead, taking turns, in one run.

    .venv/bin/python benchmarks/against_others.py [--runs 3] [one hundred chain log containers]

Prints the median of the wall seconds of the whole process, and how many times Shipline's that is. A run counts when
it ends with 0 and every job's line is in its output; what a tool can't do is said instead of a figure.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import embedded
from measure import SHIPLINE
from others import Call, Cannot, Tool, everybody
from repositories import SECRET, Pipeline, chain, containers, hundred, long_log, one

CASES: dict[str, Callable[[], Pipeline]] = {
    "one": one,
    "hundred": hundred,
    "chain": chain,
    "log": long_log,
    "containers": lambda: containers(embedded.IMAGE),
}
SLOW = 20.0
"""Seconds after which one run says enough."""
LONGEST = 300.0
"""Seconds after which a run is given up."""


class Row:
    """What one tool made of one pipeline: `seconds` of its runs, or `refused`, why there are none."""

    def __init__(self, tool: Tool, where: Path, refused: str = "") -> None:
        self.tool = tool
        self.where = where
        self.refused = refused
        self.note = ""
        self.seconds: list[float] = []

    def run(self, pipeline: Pipeline, count: bool) -> None:
        """One run; the first, which warms up, isn't counted, unless it takes so long that it is the only one."""
        if self.refused or (self.seconds and max(self.seconds) > SLOW):
            return
        try:
            seconds = self._timed(pipeline, self.tool.call(pipeline))
        except Cannot as why:
            self.refused = str(why)
        else:
            if count or seconds > SLOW:
                self.seconds.append(seconds)

    def _timed(self, pipeline: Pipeline, call: Call) -> float:
        self.note = call.note
        environment = os.environ | self.tool.environment()
        with tempfile.TemporaryFile("w+b") as output:
            start = time.perf_counter()
            for argv in call.commands:
                try:
                    done = subprocess.run(
                        argv,
                        cwd=self.where,
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=output,
                        timeout=LONGEST,
                    )
                except subprocess.TimeoutExpired:
                    raise Cannot(f"not done after {LONGEST:.0f} s") from None
                if done.returncode:
                    output.seek(0)
                    raise Cannot(_ending(output.read()))
            seconds = time.perf_counter() - start
            output.seek(0)
            self._check(pipeline, output.read())
        return seconds

    def _check(self, pipeline: Pipeline, output: bytes) -> None:
        words = set(output.split())
        if missing := [n for n in range(len(pipeline.jobs)) if f"done-{n}".encode() not in words]:
            raise Cannot(f"{len(missing)} of {len(pipeline.jobs)} jobs left no output")
        if pipeline.secret and f"the secret is {SECRET}".encode() in output:
            self.note = "masks nothing"


def _ending(output: bytes) -> str:
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    telling = next((line for line in lines if "error" in line.lower() or "failed" in line.lower()), "")
    return f"fails: {(telling or lines[-1])[:90]}" if lines else "fails without a word"


def measured(pipeline: Pipeline, tools: dict[Tool, str], runs: int) -> list[Row]:
    """All tools at one pipeline, taking turns, each in a repository of its own."""
    rows = [Row(tool, pipeline.make(), refused) for tool, refused in tools.items()]
    try:
        if pipeline.secret:
            argv = [SHIPLINE, "variable", "set", "SECRET", "--masked"]
            subprocess.run(argv, cwd=rows[0].where, input=SECRET, text=True, check=True, capture_output=True)
        for turn in range(runs + 1):
            for row in rows:
                row.run(pipeline, count=turn > 0)
    finally:
        for row in rows:
            shutil.rmtree(row.where)
    return rows


def table(pipeline: Pipeline, rows: list[Row]) -> None:
    yardstick = statistics.median(rows[0].seconds) if rows[0].seconds else None
    print(f"\n{pipeline.title}\n{'':20}{'median':>9}{'min':>9}{'max':>9}{'ratio':>9}{'runs':>6}")
    for row in rows:
        if not row.seconds:
            print(f"{row.tool.name:20}{'-':>9}  {row.refused}")
            continue
        middle = statistics.median(row.seconds)
        ratio = f"{middle / yardstick:9.2f}" if yardstick else f"{'-':>9}"
        figures = f"{middle:9.3f}{min(row.seconds):9.3f}{max(row.seconds):9.3f}{ratio}{len(row.seconds):6}"
        print(f"{row.tool.name:20}{figures}  {row.note}".rstrip(), flush=True)


def installed() -> dict[Tool, str]:
    """The tools, with the reason for each that can't be had."""
    tools: dict[Tool, str] = {}
    for tool in everybody(embedded.NAME):
        try:
            tool.install()
            tools[tool] = ""
        except Cannot as why:
            tools[tool] = f"not installed: {why}"
    return tools


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="case", help=f"some of: {', '.join(CASES)}")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if unknown := set(options.cases) - CASES.keys():
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whoever is stopped still cleans up
    tools = installed()
    with embedded.state():
        for name in options.cases or CASES:
            pipeline = CASES[name]()
            if pipeline.image:
                embedded.start()
            table(pipeline, measured(pipeline, tools, options.runs))


if __name__ == "__main__":
    main()
