"""`extends`: a job takes the keys of others, deeply merged, its own keys last."""

from __future__ import annotations

from typing import Any

from shipline.language.entry import did_you_mean
from shipline.language.findings import LanguageError, refuse
from shipline.language.values import Map, merged

MAX_ANCESTORS = 10


def extend(config: Map, partial: bool = False) -> tuple[Map, dict[str, list[str]]]:
    """The configuration with every `extends` carried out, and for each job the names that it extends.

    Raises LanguageError for names that are unknown or no mappings, for circles and for chains of more than eleven.
    `partial`: a part of the configuration is not there, so unknown names are passed over.
    """
    extender = Extender(config, partial)
    new = config.copy()
    for name, value in config.items():
        if isinstance(value, Map) and value.get("extends") is not None:
            new[name] = extender.extended(name, ())
    return new, extender.bases


class Extender:
    """Carries out the extends of one configuration, each entry once."""

    def __init__(self, config: Map, partial: bool) -> None:
        self.config = config
        self.partial = partial
        self.done: dict[str, Map] = {}
        self.depth: dict[str, int] = {}
        self.bases: dict[str, list[str]] = {}

    def extended(self, name: str, chain: tuple[str, ...]) -> Map:
        if name in self.done:
            if len(chain) + self.depth[name] - 1 > MAX_ANCESTORS:
                raise self.error(chain[0], "nesting too deep in `extends`")
            return self.done[name]
        if name in chain:
            raise self.error(name, "circular dependency detected in `extends`")
        own: Map = self.config[name]
        if own.get("extends") is None:
            self.done[name], self.depth[name] = own, 0
            return own
        if len(chain) > MAX_ANCESTORS:
            raise self.error(name, "nesting too deep in `extends`")
        names = self.names(name, own["extends"])
        result: Map | None = None
        for base in names:
            part = self.extended(base, (*chain, name))
            result = part if result is None else merged(result, part)
        self.bases[name] = names
        self.depth[name] = 1 + max((self.depth[base] for base in names), default=0)
        new = merged(result, own) if result is not None else own.copy()
        new.drop("extends")
        new.place = own.place
        self.done[name] = new
        return new

    def names(self, name: str, extends: Any) -> list[str]:
        """The names in `extends`, checked."""
        names = extends if isinstance(extends, list) else [extends]
        unknown = [base for base in names if not isinstance(base, str) or base not in self.config]
        if unknown and self.partial:
            names = [base for base in names if base not in unknown]
        elif unknown:
            listed = ", ".join(str(base) for base in unknown)
            hint = did_you_mean(unknown[0], [str(key) for key in self.config if key != name])
            if isinstance(unknown[0], Map):
                hint = "`extends` takes names, as in extends: .a; an anchor is merged in by <<: *a"
            raise self.error(name, f"unknown keys in `extends` ({listed})", unknown[0], hint)
        invalid = [base for base in names if not isinstance(self.config[base], Map)]
        if invalid:
            raise self.error(name, f"invalid base hashes in `extends` ({', '.join(invalid)})", invalid[0])
        return [str(base) for base in names]

    def error(self, name: str, message: str, base: Any = None, hint: str | None = None) -> LanguageError:
        """An error about a job's `extends`, at the base that it is about where there are several."""
        return refuse(f"{name}: {message}", self.config[name].item_at("extends", base), hint)
