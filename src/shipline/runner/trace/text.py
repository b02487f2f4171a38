"""Bytes of any kind as valid UTF-8, and a time before each line where that is wanted."""

from __future__ import annotations

import codecs
from datetime import UTC, datetime


class Utf8:
    """Invalid bytes become U+FFFD; a character cut by a chunk's end waits for its rest."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def clean(self, data: bytes) -> bytes:
        if data.isascii() and not self._decoder.getstate()[0]:
            return data
        return self._decoder.decode(data).encode()

    def flush(self) -> bytes:
        return self._decoder.decode(b"", True).encode()


class TimeStamps:
    """`2026-01-02T03:04:05.678901Z 01O ` before each line: GitLab's form, which its page takes off again."""

    def __init__(self) -> None:
        self._line_open = False

    def stamp(self, data: bytes) -> bytes:
        if not data:
            return data
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ 01O").encode()
        begin = b"" if self._line_open else now + b" "
        self._line_open = not data.endswith(b"\n")
        body = data if self._line_open else data[:-1]
        return begin + body.replace(b"\n", b"\n" + now + b" ") + (b"" if self._line_open else b"\n")
