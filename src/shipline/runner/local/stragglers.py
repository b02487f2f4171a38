"""Processes that left their job's process group (daemons, `setsid`): found by the job's folder in their
environment."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def kill_stragglers(folder: Path | str) -> int:
    """Kills what still runs with `folder`, or one below it, as its builds folder; gives how many those were.

    Where the system has no /proc, nothing is found."""
    found = 0
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:  # noqa: PTH112, PTH208 - this is done often
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            if builds_in(name, folder):
                os.kill(int(name), signal.SIGKILL)
                found += 1
        except OSError:  # gone meanwhile, or somebody else's
            continue
    return found


def builds_in(process: str, folder: Path | str) -> bool:
    """Whether the process was told, as a job's, that its builds folder is `folder` or below. OSError when it is
    gone, or somebody else's."""
    descriptor = os.open(f"/proc/{process}/environ", os.O_RDONLY)
    with open(descriptor, "rb", buffering=0) as file:
        environment = file.read()
    own = f"CI_BUILDS_DIR={folder}".encode()
    return own in environment and (own + b"/" in environment or own + b"\0" in environment)
