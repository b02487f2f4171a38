"""Image references: `busybox:1.36` is `docker.io/library/busybox:1.36`."""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_REGISTRY = "docker.io"

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_FORM = re.compile(
    rf"(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>[a-z0-9]+:[0-9a-f]{{32,}}))?$",
    re.ASCII,
)


class InvalidReference(ValueError):
    """Not an image reference."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference taken apart; `tag` is "latest" where neither tag nor digest is given."""

    registry: str
    path: str
    tag: str
    digest: str

    def __str__(self) -> str:
        return self.at(self.registry)

    def at(self, registry: str) -> str:
        """The same image at another registry."""
        return f"{registry}/{self.path}{self._end()}"

    def familiar(self) -> str:
        """As the engine writes it: without Docker's own registry."""
        path = self.path.removeprefix("library/")
        return f"{path}{self._end()}" if self.registry == DEFAULT_REGISTRY else str(self)

    def _end(self) -> str:
        return f"@{self.digest}" if self.digest else f":{self.tag}"


def parse(text: str) -> Reference:
    """Take a reference apart; InvalidReference when it is none."""
    registry, slash, rest = text.partition("/")
    if not slash or not ("." in registry or ":" in registry or registry == "localhost"):
        registry, rest = DEFAULT_REGISTRY, text
    matched = _FORM.match(rest)
    if matched is None:
        raise InvalidReference("invalid reference format")
    path, tag, digest = matched["path"], matched["tag"] or "", matched["digest"] or ""
    if registry in (DEFAULT_REGISTRY, "index.docker.io"):
        registry = DEFAULT_REGISTRY
        path = path if "/" in path else f"library/{path}"
    return Reference(registry, path, tag or ("" if digest else "latest"), digest)
