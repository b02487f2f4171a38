"""What the runner and the job's processes write to: one log, in the order it came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from shipline.protocol.coordinator import Coordinator, Output
from shipline.protocol.payload import JobPayload
from shipline.runner.trace.masking import Masker
from shipline.runner.trace.sender import Sender
from shipline.runner.trace.spool import Spool
from shipline.runner.trace.text import TimeStamps, Utf8

RESET = "\x1b[0;m"
ERASE = "\x1b[0K"
INFO = "\x1b[32;1m"
TITLE = "\x1b[36;1m"
WARNING = "\x1b[0;33m"
ERROR = "\x1b[31;1m"


class Trace:
    """Takes bytes (`write`) and the runner's own lines; everything is masked. `close` sends what is left."""

    def __init__(
        self,
        coordinator: Coordinator,
        job: JobPayload,
        *,
        secrets: Iterable[str],
        limit: int,
        timestamps: bool = False,
        heard: Callable[[str], None] = lambda status: None,
    ) -> None:
        self._masker = Masker(secrets, job.features.token_mask_prefixes)
        self._utf8 = Utf8()
        self._stamps = TimeStamps() if timestamps else None
        self._spool = Spool(limit)
        self._sender = Sender(coordinator, job, self._spool, heard)
        self._sections = job.features.trace_sections
        self._open_section = ""
        self._new: list[bytes] = []
        self._loop = asyncio.get_running_loop()

    def hide(self, secrets: Iterable[str]) -> None:
        """Values that the log does not show from now on, besides those known at first."""
        self._masker.add(secrets)

    def write(self, data: bytes) -> None:
        """Adds output of the job's processes. What is written in one step of the loop is masked in one go."""
        self._new.append(data)
        if len(self._new) == 1:
            self._loop.call_soon(self._take)

    def _take(self) -> None:
        if self._new:
            data = b"".join(self._new)
            self._new.clear()
            self._keep(self._utf8.clean(self._masker.mask(data)))

    def _keep(self, data: bytes) -> None:
        self._spool.append(self._stamps.stamp(data) if self._stamps else data)
        self._sender.wake()

    def line(self, text: str) -> None:
        """A line of the runner, uncoloured."""
        self.write(f"{ERASE}{text}\n".encode())

    def info(self, text: str) -> None:
        self.write(f"{INFO}{text}{RESET}\n".encode())

    def warning(self, text: str) -> None:
        self.write(f"{WARNING}WARNING: {text}{RESET}\n".encode())

    def error(self, text: str) -> None:
        self.write(f"{ERROR}ERROR: {text}{RESET}\n".encode())

    def open_section(self, name: str, title: str) -> None:
        """Begins a stage: its marker, which a page folds by, and its title. The section before it ends."""
        self.close_section()
        marker = f"section_start:{int(time.time())}:{name}\r{ERASE}" if self._sections else ""
        self._open_section = name
        self.write(f"{marker}{ERASE}{TITLE}{title}{RESET}\n".encode())

    def close_section(self) -> None:
        if self._open_section and self._sections:
            self.write(f"section_end:{int(time.time())}:{self._open_section}\r{ERASE}".encode())
        self._open_section = ""

    def output(self) -> Output:
        """What a coordinator can tell by that it has all of the log. To be asked when it is closed."""
        return Output(f"crc32:{self._spool.crc:08x}", self._spool.size)

    async def close(self) -> None:
        """Sends the rest of the log; returns when the coordinator has it."""
        self._take()
        self._keep(self._utf8.clean(self._masker.flush()) + self._utf8.flush())
        try:
            await self._sender.finish()
        finally:
            self._spool.close()
