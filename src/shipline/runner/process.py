"""The git program, run on this machine by the runner itself (never for a job's own commands)."""

from __future__ import annotations

import asyncio
import os
import subprocess

from shipline.runner.errors import JobFailed


async def run_git(*arguments: str, failure: str = "", names: bool = False) -> str:
    """Runs git with neither prompts nor the user's settings in its way; gives what it printed. `names`: it prints
    names of files, of which no byte may be lost.

    JobFailed with `failure` and git's own words when it fails.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    try:
        process = subprocess.Popen(  # noqa: ASYNC220 (it takes a millisecond)
            ("git", "-c", "safe.directory=*", "-c", "gc.auto=0", *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
    except FileNotFoundError:
        raise JobFailed("the program git is not on this machine: install it", "runner_system_failure") from None
    try:
        # asyncio's own processes of Python 3.11 may wait for ever when they are cancelled as they start
        out, err = await asyncio.to_thread(process.communicate)
    except asyncio.CancelledError:
        process.kill()
        raise
    if process.returncode:
        words = err.decode(errors="replace").strip()
        raise JobFailed(f"{failure or 'git ' + arguments[0]}: {words}", "runner_system_failure")
    return os.fsdecode(out) if names else out.decode(errors="replace")


def found_program(name: str) -> str | None:
    """Where the program is that PATH means by `name`; `shutil` would take longer to import than this to run."""
    for folder in os.get_exec_path():
        path = name if "/" in name else f"{folder}/{name}"
        if os.path.isfile(path) and os.access(path, os.X_OK):  # noqa: PTH113 (done at each start)
            return path
    return None
