"""Ctrl-C before the work has begun: an interrupt inside a callback of Python's (a weak reference's, in an import)
is reported and dropped by it, so it is noted here as well."""

from __future__ import annotations

import signal

_noted: list[int] = []


def note_interrupts() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt, as ever, and is remembered; unless we were started without it
    (`nohup`, a background job of a script)."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def raise_noted() -> None:
    """Raises the KeyboardInterrupt that was dropped, where one was."""
    if _noted:
        raise KeyboardInterrupt


def _interrupt(number: int, frame: object) -> None:
    _noted.append(number)
    raise KeyboardInterrupt
