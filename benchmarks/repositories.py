"""The pipelines that are measured, as repositories: the text of each, and what its output must hold.

Scripts are lists even where one line would do: not every tool reads a plain string.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from measure import repository

SECRET = "correct-horse-battery"
LINES = 1_000_000


class Pipeline(NamedTuple):
    """`jobs` are its jobs in order; each prints `done-<its place>`. `image`: of the containers that they run in.
    `secret`: whether it prints a masked variable, SECRET, which nobody must see."""

    title: str
    text: str
    jobs: list[str]
    image: str = ""
    secret: bool = False

    def make(self) -> Path:
        """A new repository with it."""
        return repository(self.text)


def one() -> Pipeline:
    return _pipeline("1 shell job", 1, lambda n: "")


def hundred() -> Pipeline:
    return _pipeline("100 shell jobs", 100, lambda n: "")


def chain() -> Pipeline:
    """Each job needs the one before: what counts is the time from a job's end to the next one's start."""
    return _pipeline("a chain of 50 shell jobs", 50, lambda n: f"  needs: [job{n - 1}]\n" if n else "")


def long_log(lines: int = LINES) -> Pipeline:
    text = f'job0:\n  script:\n    - seq 1 {lines}\n    - echo "the secret is $SECRET"\n    - echo done-0\n'
    return Pipeline(f"{lines:,} lines, a secret masked", text, ["job0"], secret=True)


def containers(image: str, count: int = 20) -> Pipeline:
    every = f"default:\n  image:\n    name: {image}\n    pull_policy: if-not-present\n"
    return _pipeline(f"{count} container jobs", count, lambda n: "", every)._replace(image=image)


def _pipeline(title: str, count: int, more: Callable[[int], str], head: str = "") -> Pipeline:
    jobs = [f"job{n}" for n in range(count)]
    parts = [f"{job}:\n  script:\n    - echo done-{n}\n{more(n)}" for n, job in enumerate(jobs)]
    return Pipeline(title, head + "".join(parts), jobs)
