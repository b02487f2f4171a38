"""The values of a YAML file, each with the place that it came from.

A mapping is a `Map`, a list a `List`: ordinary dict and list, with the places of their entries beside them, so
that a value keeps its place through includes, extends and defaults. They are never changed after they were
made: merging makes new ones, and what did not change is shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple


class Place(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


NOWHERE = Place("", 0, 0)


class Map(dict[Any, Any]):
    """A mapping; `keys_at` and `values_at` hold the places of each key and its value."""

    __slots__ = ("keys_at", "place", "values_at")

    def __init__(self, place: Place = NOWHERE) -> None:
        super().__init__()
        self.place = place
        self.keys_at: dict[Any, Place] = {}
        self.values_at: dict[Any, Place] = {}

    def put(self, key: Any, value: Any, key_at: Place, value_at: Place) -> None:
        """Sets a key while the mapping is being made."""
        self[key] = value
        self.keys_at[key] = key_at
        self.values_at[key] = value_at

    def drop(self, key: Any) -> None:
        """Removes a key while the mapping is being made."""
        del self[key], self.keys_at[key], self.values_at[key]

    def entries(self) -> Iterator[tuple[Any, Any, Place, Place]]:
        """Every key and value with their places."""
        for key, value in self.items():
            yield key, value, self.keys_at[key], self.values_at[key]

    def copy(self) -> Map:
        """A new mapping of the same values."""
        new = Map(self.place)
        new.update(self)
        new.keys_at = self.keys_at.copy()
        new.values_at = self.values_at.copy()
        return new

    def without(self, *keys: str) -> Map:
        """A new mapping that lacks some keys."""
        new = self.copy()
        for key in keys:
            if key in new:
                new.drop(key)
        return new

    def at(self, key: Any) -> Place:
        """The place of a key's value, or of the mapping where there is none."""
        return self.values_at.get(key, self.place)

    def item_at(self, key: Any, item: Any) -> Place:
        """The place of an item of a key's list, or of the value where it is no list that has it."""
        value = self.get(key)
        places = [place for one, place in value.entries() if one == item] if isinstance(value, List) else []
        return places[0] if places else self.at(key)

    def key_at(self, key: Any) -> Place:
        """The place of a key, or of the mapping where there is none."""
        return self.keys_at.get(key, self.place)


class List(list[Any]):
    """A list; `places` holds the place of each item."""

    __slots__ = ("place", "places")

    def __init__(self, place: Place = NOWHERE) -> None:
        super().__init__()
        self.place = place
        self.places: list[Place] = []

    def add(self, value: Any, place: Place) -> None:
        """Appends an item while the list is being made."""
        self.append(value)
        self.places.append(place)

    def entries(self) -> Iterable[tuple[Any, Place]]:
        """Every item with its place."""
        return zip(self, self.places, strict=True)


class Reference:
    """A `!reference [...]` that has not been resolved; `path` is as written (a list when it is valid)."""

    __slots__ = ("path", "place")

    def __init__(self, path: Any, place: Place) -> None:
        self.path = path
        self.place = place


def merged(base: Map, over: Map) -> Map:
    """`over` merged onto `base`: mappings deeply, everything else replaced whole. Keys keep base's order."""
    new = base.copy()
    absorb(new, over)
    return new


def absorb(into: Map, over: Map) -> None:
    """Merges onto a mapping that is still being made."""
    deep = {
        key: merged(into[key], value)
        for key, value in over.items()
        if type(value) is Map and type(into.get(key)) is Map
    }
    into.update(over)
    into.update(deep)
    into.keys_at.update(over.keys_at)
    into.values_at.update(over.values_at)


def located(value: Any, place: Place = NOWHERE) -> Any:
    """Plain Python data as values, all of one place."""
    if isinstance(value, dict):
        new = Map(place)
        for key, item in value.items():
            new.put(key, located(item, place), place, place)
        return new
    if isinstance(value, list):
        items = List(place)
        for item in value:
            items.add(located(item, place), place)
        return items
    return value


def plain(value: Any) -> Any:
    """Values as plain dicts and lists, for those who need no places."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value
