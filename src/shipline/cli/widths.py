"""How wide a text is on a terminal, and making it fit: names may be of any script, and of any length."""

from __future__ import annotations

import unicodedata

CUT = "…"
_NOTHING = ("Mn", "Me", "Cf")
_EMOJI_STYLE = "\ufe0f"


def plain(text: str) -> str:
    """The text on one line, with what a terminal would act on replaced: names and titles are somebody else's."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\u200c\u200d" else " " if c.isspace() else "?" for c in text)


def width(text: str) -> int:
    """The columns that the text takes; rather one too many than one too few."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if character == _EMOJI_STYLE:
        return 1
    if unicodedata.category(character) in _NOTHING:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int) -> str:
    """The text in at most so many columns; what is left out is told by `…`."""
    if width(text) <= columns:
        return text
    if columns <= 0:
        return ""
    left, kept = columns - 1, []
    for character in text:
        left -= _columns(character)
        if left < 0:
            break
        kept.append(character)
    return "".join(kept) + CUT


def fitted(text: str, columns: int) -> str:
    """The text in exactly so many columns."""
    text = cut(text, columns)
    return text + " " * (columns - width(text))
