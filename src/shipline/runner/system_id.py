"""The name under which a server knows the runner process of this machine."""

from __future__ import annotations

import contextlib
import secrets
import string
from pathlib import Path


def system_id(path: Path) -> str:
    """The name of this machine's manager: kept in a file, made when it is missing (`r_` and 12 letters). Where
    nothing can be written, beside a mounted configuration say, it is this process's name."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        made = "r_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(12))
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_text(made)
        return made
