"""What a job's script printed last: the log is read in parts, since it may be as long as it likes.

The script's part of a log is between the runner's section markers; what the runner does before (sources) and after
it (after_script, cleanup) is left out, but for its last words where they say more than an exit code: the pod was
evicted, the time was over. A job whose script never began is told by the end of its whole log.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shipline.cli.log_text import readable

if TYPE_CHECKING:
    from shipline.engine.store import Store

LAST_LINES = 12
PART = 1 << 20
TAIL = 1 << 16
MARKER = 400
"""Bytes: no marker is longer."""
CUT_NOTICE = b"no more output will be collected"
_MARKER = re.compile(
    rb"section_(?P<verb>start|end):\d{1,20}:(?P<name>[A-Za-z0-9_.-]{1,100})(?:\[[^\]\r\n]{0,200}\])?\r(?:\x1b\[0K)*"
)
_EXIT_CODE = re.compile(r"ERROR: Job failed: (command terminated with exit code|exit status) \d+$")


class End:
    """The end of a job's log. `script`: of what its script printed, empty where it never began; `whole`: of all."""

    def __init__(self, store: Store, job_id: int) -> None:
        self.script = b""
        self.whole = b""
        self.began = False
        inside, start, rest = False, 0, b""
        while True:
            data = store.read_trace(job_id, start, PART)
            start += len(data)
            block = rest + data
            rest = b""
            if len(data) == PART:
                block, rest = block[:-MARKER], block[-MARKER:]  # a marker may lie across the border
            inside = self._take(block, inside)
            if not rest:
                return

    def _take(self, block: bytes, inside: bool) -> bool:
        self.whole = (self.whole + block)[-TAIL:]
        at = 0
        if b"section_" in block:
            for marker in _MARKER.finditer(block):
                name = marker["name"]
                if name != b"step_script":
                    if inside and name == b"after_script":
                        inside = False
                    continue
                if marker["verb"] == b"start":
                    inside, self.began, self.script = True, True, b""
                    at = block.find(b"\n", marker.end()) + 1 or len(block)
                elif inside:
                    self.script = (self.script + block[at : marker.start()])[-TAIL:]
                    inside = False
        if inside:
            self.script = (self.script + block[at:])[-TAIL:]
        return inside

    @property
    def is_cut(self) -> bool:
        """Whether the log was longer than the runner keeps."""
        return CUT_NOTICE in self.whole[-1024:]

    def lines(self, count: int = LAST_LINES) -> list[str]:
        """The last lines, of the script where there are any, and what the runner said at the end."""
        found = readable(self.script if self.began else self.whole).strip("\n").split("\n")
        said = self._last_words() if self.began else []
        return [*(found[-count:] if found != [""] else []), *said]

    def _last_words(self) -> list[str]:
        """The runner's, which come after all sections; none where they only repeat the script's exit code."""
        *_, rest = _MARKER.split(self.whole)
        lines = readable(rest).strip("\n").split("\n")
        known = lines[-1].startswith("ERROR: Job failed") and not _EXIT_CODE.match(lines[-1])
        return lines if known else []

    def text(self) -> str:
        """The end of the whole log, for finding out what was wrong."""
        return readable(self.whole)


def last_lines(store: Store, job_id: int) -> list[str]:
    """The last lines that a job's script printed."""
    return End(store, job_id).lines()
