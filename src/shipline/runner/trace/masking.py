"""Secrets out of a stream of bytes, wherever its chunks end.

One stage a secret, longest first, each keeping back only what may be the beginning of its secret. Whole chunks are
searched at once: the cost is one memory search a secret, not one step a line.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

MASK = b"[MASKED]"
PREFIXES = (
    "glpat-", "gloas-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "glwt-",
    "glsoat-", "glffct-", "_gitlab_session=",
)  # fmt: skip
_PARAMETER = re.compile(
    rb"([?&](?:private_token|authenticity_token|rss_token|x-amz-signature|x-amz-credential|x-amz-security-token)=)"
    rb"[^?&\s\x00-\x1f\x7f]*",  # as gitlab-runner has it: what nobody escapes (quotes, #) belongs to the value
    re.IGNORECASE,
)
LONGEST_TOKEN = 8192  # bytes of one unbroken word that are kept back while it may be a token


class Masker:
    """`mask` takes the next chunk and gives what may be shown by now; `flush` gives the rest."""

    def __init__(self, secrets: Iterable[str], prefixes: Iterable[str] = ()) -> None:
        self._secrets: list[_Literal] = []
        self.add(secrets)
        self._tokens = _Tokens(_shapes(tuple(prefixes)))

    def add(self, secrets: Iterable[str]) -> None:
        """More secrets: what comes from now on is searched for them, too."""
        known = {each.secret for each in self._secrets} | {b""}
        values = {secret.strip().encode() for secret in secrets} - known
        self._secrets += [_Literal(value) for value in values]
        self._secrets.sort(key=lambda each: len(each.secret), reverse=True)

    def mask(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = secret.mask(data)
        return self._tokens.mask(data)

    def flush(self) -> bytes:
        data = b""
        for secret in self._secrets:
            data = secret.mask(data) + secret.flush()
        return self._tokens.mask(data) + self._tokens.flush()


class _Literal:
    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.kept = b""

    def mask(self, data: bytes) -> bytes:
        if self.kept:
            data = self.kept + data
        data = data.replace(self.secret, MASK)
        kept = self._beginning(data)
        self.kept = data[len(data) - kept :] if kept else b""
        return data[:-kept] if kept else data

    def _beginning(self, data: bytes) -> int:
        """How many bytes at the end of `data` may be the secret's beginning."""
        start = max(0, len(data) - len(self.secret) + 1)
        while (start := data.find(self.secret[:1], start)) >= 0:
            if self.secret.startswith(data[start:]):
                return len(data) - start
            start += 1
        return 0

    def flush(self) -> bytes:
        data, self.kept = self.kept, b""
        return data


class _Shapes:
    """What tokens with these prefixes look like."""

    def __init__(self, prefixes: list[bytes]) -> None:
        self.prefixes = prefixes
        self.heads = {prefix[:2] for prefix in prefixes}
        self.letters = {prefix[:1] for prefix in prefixes}
        self.pattern = re.compile(
            b"(" + b"|".join(re.escape(prefix) for prefix in prefixes) + rb")[A-Za-z0-9._=-]+"
        )


@functools.cache
def _shapes(more: tuple[str, ...]) -> _Shapes:
    """Of the known prefixes and `more`: the same for nearly all jobs."""
    return _Shapes([prefix.encode() for prefix in (*PREFIXES, *more) if prefix])


class _Tokens:
    """Tokens known by their prefix, and secrets in a URL's query: what follows is masked up to the word's end."""

    def __init__(self, shapes: _Shapes) -> None:
        self.shapes = shapes
        self.kept = b""

    def mask(self, data: bytes) -> bytes:
        if self.kept:
            data = self.kept + data
        start = max(data.rfind(b" "), data.rfind(b"\n")) + 1
        word = data[start:] if len(data) - start <= LONGEST_TOKEN else b""
        if word and self._may_be_token(word):
            self.kept, data = word, data[:start]
        else:
            self.kept = b""
        return self._replace(data)

    def _may_be_token(self, word: bytes) -> bool:
        if b"?" in word or b"&" in word:
            return True
        if not any(letter in word for letter in self.shapes.letters):
            return False
        return any(prefix in word or _ends_with_beginning(word, prefix) for prefix in self.shapes.prefixes)

    def _replace(self, data: bytes) -> bytes:
        if any(head in data for head in self.shapes.heads) and any(
            prefix in data for prefix in self.shapes.prefixes
        ):
            data = self.shapes.pattern.sub(rb"\1" + MASK, data)
        if b"=" in data and (b"?" in data or b"&" in data):
            data = _PARAMETER.sub(rb"\1" + MASK, data)
        return data

    def flush(self) -> bytes:
        data, self.kept = self._replace(self.kept), b""
        return data


def _ends_with_beginning(word: bytes, prefix: bytes) -> bool:
    return any(word.endswith(prefix[:length]) for length in range(min(len(prefix) - 1, len(word)), 0, -1))
