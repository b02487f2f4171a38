"""A system image's recipe: one folder with a `recipe.toml` and the files that go into the image.

A recipe says what is in the image, never how it is made. Its fingerprint covers everything that decides the
content, so a name with a fingerprint never has to be made twice and never goes stale.
"""

import hashlib
import json
import tomllib
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from shipline.images.errors import ImageError

RECIPES = Path(__file__).parent / "recipes"
# Counted up when the way of making images changes what comes out of the same recipe.
EDITION = 2


@dataclass(frozen=True)
class Recipe:
    """What one system image is made of."""

    name: str
    about: str
    check: list[str]
    """A command that ends with 0 in a good image."""
    suite: str = ""
    """The Debian release that debootstrap makes; only for bases."""
    base: str = ""
    """The recipe that this one builds upon; empty for bases."""
    packages: list[str] = field(default_factory=list)
    """Debian packages, installed without what they merely recommend."""
    build_packages: list[str] = field(default_factory=list)
    """Debian packages that only the commands need; they and what came with them go afterwards."""
    run: list[str] = field(default_factory=list)
    """Shell commands, as root, after the packages are installed."""
    scratch: bool = False
    """The image is what the commands leave in `/image`, with nothing of the base around it."""
    files: dict[str, str] = field(default_factory=dict)
    """Path in the image -> file in the recipe's folder. A file that starts with `#!` is executable."""
    env: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)
    workdir: str = "/"
    upstream: str = ""
    """The public image that stands for it where a public registry can be reached; empty: always built."""
    served_as: str = ""
    """Under which name a mirror made from the system images serves it; empty: not at all."""

    def contents(self) -> dict[str, tuple[bytes, int]]:
        """Path in the image -> (bytes, mode) of the recipe's own files."""
        found = {}
        for path, source in sorted(self.files.items()):
            data = (RECIPES / self.name / source).read_bytes()
            found[path] = (data, 0o755 if data.startswith(b"#!") else 0o644)
        return found

    def fingerprint(self, authorities: dict[str, bytes]) -> str:
        """Twelve hexadecimal digits over all that decides the content, the bases' included.

        `authorities` are the host's own certificates (file name -> PEM), which every image carries.
        """
        digest = hashlib.sha256(str(EDITION).encode())
        if self.base:
            digest.update(load(self.base).fingerprint(authorities).encode())
        else:
            digest.update((RECIPES / "bootstrap.sh").read_bytes())
            for name, certificate in sorted(authorities.items()):
                digest.update(name.encode() + certificate)
        facts = {f.name: value for f in fields(self) if (value := getattr(self, f.name))}
        for name in ("about", "check", "served_as"):
            facts.pop(name, None)
        digest.update(json.dumps(facts, sort_keys=True).encode())
        for path, (data, mode) in self.contents().items():
            digest.update(f"{path} {mode:o} {len(data)} ".encode() + data)
        return digest.hexdigest()[:12]

    def config(self) -> dict[str, Any]:
        """The image's run configuration, in the engine's form."""
        return {
            "Env": [f"{name}={value}" for name, value in self.env.items()],
            "Entrypoint": self.entrypoint or None,
            "Cmd": self.command or None,
            "WorkingDir": self.workdir,
            "Volumes": {path: {} for path in self.volumes} or None,
            "ExposedPorts": {port: {} for port in self.ports} or None,
        }


@cache
def load(name: str) -> Recipe:
    """The recipe of that name; `ImageError` when there is none."""
    path = RECIPES / name / "recipe.toml"
    if not path.is_file():
        raise ImageError(f"no recipe for a system image '{name}'; there are: {', '.join(names())}")
    return Recipe(name=name, **tomllib.loads(path.read_text()))


@cache
def names() -> list[str]:
    """All recipes, each after the one it builds upon."""
    every = sorted(path.parent.name for path in RECIPES.glob("*/recipe.toml"))
    return sorted(every, key=lambda name: len(lineage(name)))


def lineage(name: str) -> list[str]:
    """The recipe's bases, the first one first, and itself last."""
    recipe = load(name)
    return [*(lineage(recipe.base) if recipe.base else []), name]
