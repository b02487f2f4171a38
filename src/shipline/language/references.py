"""`!reference [job, keyword, ...]` replaced by what it points to, wherever it stands."""

from __future__ import annotations

from typing import Any

from shipline.language.entry import did_you_mean
from shipline.language.findings import refuse
from shipline.language.values import List, Map, Place, Reference


def resolve(config: Map, partial: bool = False) -> Map:
    """The configuration without references. Raises LanguageError for one that is wrong or runs in a circle.

    `partial`: a part of the configuration is not there: a reference to something unknown is then nothing.
    """
    resolved: Map = Resolver(config, partial).value(config, ())
    return resolved


def shown(path: Any) -> str:
    """A reference as GitLab prints it."""
    import json

    return f"!reference {json.dumps(path, ensure_ascii=False, default=str)}"


class Resolver:
    """Resolves the references of one configuration, each path once."""

    def __init__(self, config: Map, partial: bool) -> None:
        self.config = config
        self.partial = partial
        self.done: dict[tuple[str, ...], Any] = {}

    def value(self, value: Any, chain: tuple[tuple[str, ...], ...]) -> Any:
        """A value without references: the same object where it had none."""
        if isinstance(value, Map):
            return self.mapping(value, chain)
        if isinstance(value, List):
            return self.items(value, chain)
        if isinstance(value, Reference):
            return self.target(value, chain)[0]
        return value

    def mapping(self, value: Map, chain: tuple[tuple[str, ...], ...]) -> Map:
        new: Map | None = None
        for key, item in value.items():
            if not isinstance(item, Map | List | Reference):
                continue
            resolved = self.value(item, chain)
            if resolved is not item:
                new = new or value.copy()
                new[key] = resolved
                if isinstance(item, Reference):
                    new.values_at[key] = self.target(item, chain)[1]
        return new or value

    def items(self, value: List, chain: tuple[tuple[str, ...], ...]) -> List:
        if not any(isinstance(item, Map | List | Reference) for item in value):
            return value
        new = List(value.place)
        changed = False
        for item, place in value.entries():
            if isinstance(item, Reference):
                found, found_at = self.target(item, chain)
                new.add(List(found_at) if found is None else found, found_at)
                changed = True
            else:
                resolved = self.value(item, chain)
                changed = changed or resolved is not item
                new.add(resolved, place)
        return new if changed else value

    def target(self, reference: Reference, chain: tuple[tuple[str, ...], ...]) -> tuple[Any, Place]:
        """What a reference points to, itself free of references, with its place."""
        path = reference.path
        if not isinstance(path, list) or not path or not all(isinstance(part, str) for part in path):
            raise refuse(f"{shown(path)} is not valid", reference.place, "write !reference [job, keyword]")
        key = tuple(path)
        if key in chain:
            raise refuse(f"{shown(path)} is part of a circular chain", reference.place)
        if key not in self.done:
            value, place = self.dig(reference, key)
            inner = (*chain, key)
            if isinstance(value, Reference):
                self.done[key] = self.target(value, inner)
            else:
                self.done[key] = (self.value(value, inner), place)
        found: tuple[Any, Place] = self.done[key]
        return found

    def dig(self, reference: Reference, path: tuple[str, ...]) -> tuple[Any, Place]:
        value: Any = self.config
        place = reference.place
        for part in path:
            if isinstance(value, Reference):
                value, place = self.target(value, (path,))
            if not isinstance(value, Map) or value.get(part) is None:
                if self.partial:
                    return None, reference.place
                raise refuse(f"{shown(list(path))} could not be found", reference.place, self.near(value, part))
            value, place = value[part], value.at(part)
        if value is False:
            raise refuse(
                f"{shown(list(path))} could not be found", reference.place, "GitLab takes false for nothing"
            )
        return value, place

    @staticmethod
    def near(value: Any, part: str) -> str | None:
        if not isinstance(value, Map):
            return None
        return did_you_mean(part, [str(key) for key in value]) or f"there is no `{part}` here, nor in an include"
