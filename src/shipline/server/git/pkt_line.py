"""git's pkt-lines: four hexadecimal digits of length, then the content; `0000` ends a section.

And its side band: one byte before the content says what it is for.
"""

from __future__ import annotations

from collections.abc import Iterator

FLUSH = b"0000"
DATA, PROGRESS, ERROR = b"\x01", b"\x02", b"\x03"
LARGEST = 65520


def pkt(content: bytes) -> bytes:
    return b"%04x" % (len(content) + 4) + content


def side_band(band: bytes, content: bytes) -> bytes:
    """The content in as many packets of a band as it takes."""
    size = LARGEST - 5
    return b"".join(pkt(band + content[i : i + size]) for i in range(0, len(content), size))


def section(data: bytes) -> tuple[list[bytes], int] | None:
    """The packets up to the first flush, and how many bytes they take with it; None when it isn't all there.

    Raises ValueError for what are no pkt-lines.
    """
    lines: list[bytes] = []
    place = 0
    while len(data) >= place + 4:
        size = int(data[place : place + 4], 16)
        if size == 0:
            return lines, place + 4
        if size < 4:
            raise ValueError("not a pkt-line")
        if len(data) < place + size:
            return None
        lines.append(data[place + 4 : place + size])
        place += size
    return None


def packets(data: bytes) -> Iterator[bytes]:
    """All packets, flushes left out; what is incomplete at the end is not given."""
    place = 0
    while len(data) >= place + 4:
        size = max(int(data[place : place + 4], 16), 4)
        if size > 4:
            yield data[place + 4 : place + size]
        place += size
