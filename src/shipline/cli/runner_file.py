"""Adds runners to a config.toml and takes them out, leaving everything else in it as somebody wrote it."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path

HEAD = re.compile(r"^\s*\[\[\s*runners\s*\]\]", re.MULTILINE)


def add(path: Path, *, name: str, url: str, token: str, executor: str) -> None:
    """Adds an entry; the file is made (mode 0600) when it is missing."""
    text = path.read_text(encoding="utf-8") if path.exists() else "concurrent = 4\n"
    values = {"name": name, "url": url, "token": token, "executor": executor}
    lines = [f"  {key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    _write(path, text.rstrip("\n") + "\n\n" + "\n".join(["[[runners]]", *lines]) + "\n")


def remove(path: Path, token: str) -> None:
    """Takes the entries with that token out."""
    text = path.read_text(encoding="utf-8")
    starts = [match.start() for match in HEAD.finditer(text)]
    parts = [text[: starts[0]]] if starts else [text]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        entry = tomllib.loads(text[start:end])["runners"][0]
        if entry.get("token") != token:
            parts.append(text[start:end])
    _write(path, "".join(parts))


def _write(path: Path, text: str) -> None:
    """All of it or nothing, readable by the user alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(path.name + ".new")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)
