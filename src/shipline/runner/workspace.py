"""The runner's folder on this machine: repository copies, and the folders of jobs that run here.

One folder a running process, under the system's temporary folder, named by process id; a new runner removes those
of processes that are gone, with what still runs in them, so a killed one leaves nothing for longer than until the
next start.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from shipline.runner.local.stragglers import builds_in

PREFIX = "shipline-runner-"
GET_FLAGS, SET_FLAGS, TOP_DIRECTORY = 0x80086601, 0x40086602, 0x20000  # of linux/fs.h: FS_IOC_GETFLAGS and others


class Workspace:
    """`path` exists from the first time it is asked for until `close`."""

    def __init__(self) -> None:
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        if self._path is None:
            remove_abandoned()
            self._path = temporary_folder() / f"{PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
            self._path.mkdir(0o700)
            _spread(self._path)
        return self._path

    def close(self) -> None:
        if self._path is not None:
            remove_tree(self._path)
            self._path = None


def _spread(folder: Path) -> None:
    """Lets the folders made in it lie far from each other on an ext4 disk (`chattr +T`). An ext4 without a journal,
    as virtual machines have it, looks for a place among all that was removed nearby in the last minutes, which
    makes a folder of a job cost several milliseconds. Elsewhere nothing happens."""
    import fcntl
    import struct

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        flags = struct.unpack("l", fcntl.ioctl(descriptor, GET_FLAGS, bytes(struct.calcsize("l"))))[0]
        fcntl.ioctl(descriptor, SET_FLAGS, struct.pack("l", flags | TOP_DIRECTORY))
    except OSError:
        pass
    finally:
        os.close(descriptor)


def temporary_folder() -> Path:
    """The system's folder for temporary files."""
    return Path(os.environ.get("TMPDIR") or "/tmp")


def remove_abandoned() -> list[Path]:
    """Removes the folders of runners that no longer live; gives their paths."""
    gone = []
    for path in temporary_folder().glob(f"{PREFIX}*"):
        owner = path.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not _alive(int(owner)):
            end_processes(path)
            remove_tree(path)
            gone.append(path)
    return gone


def end_processes(folder: Path) -> None:
    """Kills what still runs of jobs whose runner was killed: processes that work in the folder, or were told of it
    as their builds folder."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            works_there = (process / "cwd").readlink().is_relative_to(folder)
            if works_there or builds_in(process.name, folder):
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue  # it has ended, or is somebody else's


def remove_tree(path: Path) -> None:
    """Removes a folder as far as it can be removed."""
    import subprocess

    subprocess.run(["rm", "-rf", "--", path], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
