"""What was tried against the server, a line each, and how it went."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Found = TypeVar("Found")


class Steps:
    """The lines so far: each step of each program is counted once."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed: list[str] = []

    @contextmanager
    def step(self, program: str, name: str) -> Iterator[None]:
        """What fails in it is said, and the next step goes on."""
        try:
            yield
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            print(
                f"FAILED {program}: {name}: {error} ({where.filename.rpartition('/')[2]}:{where.lineno})",
                flush=True,
            )
            self.failed.append(f"{program}: {name}")
        else:
            print(f"ok     {program}: {name}", flush=True)
            self.passed += 1


def expect(condition: object, said: object = "") -> None:
    """Fails the step unless the condition holds."""
    if not condition:
        raise AssertionError(str(said)[-1500:] or "not so")


def until(look: Callable[[], Found], what: str, seconds: float = 120) -> Found:
    """The first true thing that looking gives."""
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s: {what}")
        time.sleep(0.2)
    return found
