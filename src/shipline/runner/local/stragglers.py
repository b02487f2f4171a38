"""Processes that left their job's process group (daemons, `setsid`): found by the job's folder in their
environment."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def kill_stragglers(folder: Path) -> int:
    """Kills what still runs with a job's folder inside `folder` in its environment; gives how many those were.

    Where the system has no /proc, nothing is found."""
    mark = f"CI_BUILDS_DIR={folder}/".encode()
    found = 0
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:  # noqa: PTH112, PTH208 - this is done often
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if mark in file.read():
                    os.kill(int(name), signal.SIGKILL)
                    found += 1
        except OSError:  # gone meanwhile, or somebody else's
            continue
    return found
