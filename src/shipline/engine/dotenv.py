"""`artifacts:reports:dotenv` as GitLab reads it: NAME=VALUE a line, nothing else, and not too much of it."""

from __future__ import annotations

import codecs
import re

from shipline.engine.records import PipelineVariable

LARGEST = 5 << 10
"""Bytes of the uploaded file; this many are too many already."""
MOST = 20
LONGEST_KEY = 255
KEY = re.compile(r"[A-Za-z0-9_]+\Z")
MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be", codecs.BOM_UTF8: "utf-8"}


class DotenvError(Exception):
    """The file is not what it has to be; the text is GitLab's."""


def parse(contents: list[bytes], size: int) -> list[PipelineVariable]:
    """The variables of the files, of which `size` bytes were uploaded. Of two with one name, the last counts."""
    if size >= LARGEST:
        raise DotenvError(f"Dotenv Artifact Too Big. Maximum Allowable Size: {LARGEST}")
    found: dict[str, PipelineVariable] = {}
    for content in contents:
        for line in _text(content).split("\n")[:-1]:
            key, equals, value = line.partition("=")
            if not equals:
                raise DotenvError("Invalid Format")
            variable = PipelineVariable(key.strip(), value.strip())
            _check(variable.key)
            found[variable.key] = variable
    if len(found) > MOST:
        raise DotenvError(f"Dotenv files cannot have more than {MOST} variables")
    return list(found.values())


def _check(key: str) -> None:
    if not key:
        raise DotenvError("Validation failed: Key can't be blank")
    if not KEY.match(key):
        raise DotenvError("Validation failed: Key can contain only letters, digits and '_'.")
    if len(key) > LONGEST_KEY:
        raise DotenvError(f"Validation failed: Key is too long (maximum is {LONGEST_KEY} characters)")


def _text(content: bytes) -> str:
    """The file's text, ending with a line's end. Windows' shells write UTF-16."""
    for mark, encoding in MARKS.items():
        if content.startswith(mark):
            text = content[len(mark) :].decode(encoding, errors="replace")
            break
    else:
        text = content.decode(errors="replace")
    return text if not text or text.endswith("\n") else text + "\n"
