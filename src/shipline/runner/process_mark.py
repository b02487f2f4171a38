"""Names a process so that it is never taken for another: its number, and when it began."""

from __future__ import annotations

import os
from pathlib import Path


def process_mark() -> str:
    """This process; letters, digits and a dash only."""
    return f"{os.getpid()}-{_started(os.getpid())}"


def lives(mark: str) -> bool:
    """Whether the process of a mark still runs."""
    pid, _, started = mark.partition("-")
    if not pid.isdigit():
        return False
    if started:
        return _started(int(pid)) == started
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _started(pid: int) -> str:
    """When a process began, in clock ticks; empty when it is gone, or where the system does not say."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
