"""A job's output as it can be shown to a person: nothing in it moves the cursor, rings, or changes the terminal.

Section markers, which are there for a web page, are taken out: a line ends there. Of a line that was written over
and over (a progress bar), the last state is left. Colours stay where they are wanted.
"""

from __future__ import annotations

import re

CONTROL = bytes(set(range(32)) - set(b"\n\t")) + b"\x7f"
SECTIONS = re.compile(rb"(?:(?:\x1b\[0K)*section_(?:start|end):\d{1,20}:[^\r\n]{0,300}\r(?:\x1b\[0K)?)+")
_ESCAPE = re.compile(
    rb"(\x1b\[[0-9;:]*m)"  # a colour
    rb"|\x1b\[[0-?]*[ -/]*[@-~]"
    rb"|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"
    rb"|\x1b[PX^_][^\x1b\n]*(?:\x1b\\)?"
    rb"|\x1b[ -/]*[0-~]"
    rb"|\x1b"
)
_SECOND_SET = re.compile(rb"\xc2[\x80-\x9f]")  # what some terminals take for escapes, too
_TAKEN_BACK = re.compile(rb"[^\n\x08]\x08")
_OTHER = re.compile(rb"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]")
RESET = b"\x1b[0m"
PASSES = 8


def shown(lines: bytes, colour: bool) -> bytes:
    """Whole lines (the last without its newline) as they may go to a terminal, with colours or without."""
    if len(lines.translate(None, CONTROL)) == len(lines):  # as nearly all output is
        return _SECOND_SET.sub(b"", lines) if b"\xc2" in lines else lines
    if b"section_" in lines:
        lines = SECTIONS.sub(_between_sections, lines)
    if b"\r" in lines:
        lines = b"\n".join(map(_last_state, lines.split(b"\n")))
    if b"\x1b" in lines:
        lines = _ESCAPE.sub(rb"\1" if colour else b"", lines)
    for _ in range(PASSES):
        if b"\x08" not in lines:
            break
        lines = _TAKEN_BACK.sub(b"", lines)
    lines = _SECOND_SET.sub(b"", _OTHER.sub(b"", lines))
    return b"\n".join(map(_closed, lines.split(b"\n"))) if colour and b"\x1b" in lines else lines


def _between_sections(markers: re.Match[bytes]) -> bytes:
    """Nothing, but for output that did not end its line: what comes next is not part of it."""
    before = markers.string[markers.start() - 1 : markers.start()]
    return b"" if before in (b"", b"\n") else b"\n"


def _last_state(line: bytes) -> bytes:
    """What is left of a line that was written over and over."""
    return line.rstrip(b"\r").rpartition(b"\r")[2] if b"\r" in line else line


def _closed(line: bytes) -> bytes:
    """A coloured line ends without colour: what comes after it is somebody else's."""
    if b"\x1b" not in line or line.endswith((RESET, b"\x1b[m", b"\x1b[0;m")):
        return line
    return line + RESET


def readable(log: bytes) -> str:
    """Part of a log as text without colours."""
    return shown(log, False).decode("utf-8", errors="replace")
