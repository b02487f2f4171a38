"""Who asks, and how: what goes with a request besides its object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated caller. `extra` holds what authentication learned, as the reviews show it."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, list[str]] = field(default_factory=dict)


SYSTEM = User("system:shipline", ("system:masters", "system:authenticated"))


@dataclass(frozen=True, slots=True)
class Call:
    """The circumstances of a request. `manager` is the name in managedFields, "" leaves
    those alone; a `dry_run` stores nothing;
    `warnings` collects what the client is to be told; `field_validation` is Strict, Warn or Ignore."""

    user: User = SYSTEM
    manager: str = ""
    dry_run: bool = False
    force: bool = False
    field_validation: str = "Strict"
    warnings: list[str] = field(default_factory=list)


INSIDE = Call()
