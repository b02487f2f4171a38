"""What happened, in order, and those who watch it.

Every resource has a ring of its last changes. A watch is a position in that ring, so a slow watcher costs
nothing and one that falls out of it is told 410 Expired and lists again.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from shipline.cluster.api.errors import expired
from shipline.cluster.api.selectors import Test

Json = dict[str, Any]
ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"

RING_SIZE = 2048


class Stored:
    """An object as it lies in the store: `obj` is never changed, `raw` is its JSON, `version` its revision."""

    __slots__ = ("obj", "raw", "version")

    def __init__(self, obj: Json, raw: bytes, version: int) -> None:
        self.obj = obj
        self.raw = raw
        self.version = version

    @classmethod
    def of(cls, obj: Json, version: int) -> Stored:
        """Encode an object that already carries `version` in its metadata."""
        return cls(obj, msgspec.json.encode(obj), version)

    def copy(self) -> Json:
        """A fresh object for a caller to keep and change."""
        return msgspec.json.decode(self.raw)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Change:
    """One change: `old` is None when the object is new, `gone` when it was removed (`new` is its last state)."""

    version: int
    namespace: str
    old: Stored | None
    new: Stored
    gone: bool = False


class Ring:
    """The last changes of one resource. `start` counts those already forgotten."""

    def __init__(self, forgotten_version: int) -> None:
        self.changes: deque[Change] = deque()
        self.start = 0
        self.forgotten_version = forgotten_version
        self._watches: weakref.WeakSet[Watch] = weakref.WeakSet()

    def append(self, change: Change) -> None:
        """Add a change and wake whoever waits."""
        self.changes.append(change)
        if len(self.changes) > RING_SIZE:
            self.forgotten_version = self.changes.popleft().version
            self.start += 1
        for watch in list(self._watches):
            watch.wake()

    def position_after(self, version: int) -> int:
        """Where changes newer than `version` begin; ApiError 410 when some of those are forgotten."""
        if version < self.forgotten_version:
            raise expired(f"too old resource version: {version} ({self.forgotten_version + 1})")
        position = self.start + len(self.changes)
        for change in reversed(self.changes):
            if change.version <= version:
                break
            position -= 1
        return position

    def join(self, watch: Watch) -> None:
        """Have `watch` woken for each change, as long as it lives."""
        self._watches.add(watch)

    def leave(self, watch: Watch) -> None:
        """Wake it no more."""
        self._watches.discard(watch)


class Watch:
    """An endless sequence of (type, object). `initial` come first, then all changes after `version`.

    `view` may show the objects in other words. Iterate it from one task. `async for` never ends by itself;
    ApiError 410 means: list and watch again.
    """

    def __init__(
        self, ring: Ring, version: int, namespace: str | None, matches: Test, initial: list[Stored]
    ) -> None:
        self._ring = ring
        self._position = ring.position_after(version)
        self._namespace = namespace
        self._matches = matches
        self._initial = deque(initial)
        self._awake = asyncio.Event()
        self.view: Callable[[Stored], Stored] = lambda stored: stored
        ring.join(self)

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> tuple[str, Json]:
        kind, stored = await self.next_stored()
        return kind, stored.copy()

    async def next_stored(self) -> tuple[str, Stored]:
        """The next event with the object as stored: cheaper, and not to be changed."""
        while True:
            event = self.ready()
            if event is not None:
                return event
            await self.wait()

    async def wait(self, timeout: float | None = None) -> None:
        """Until something may be new, or `timeout` seconds have passed."""
        self._awake.clear()
        try:
            await asyncio.wait_for(self._awake.wait(), timeout)
        except TimeoutError:
            pass

    def ready(self) -> tuple[str, Stored] | None:
        """The next event if there is one already."""
        if self._initial:
            return ADDED, self.view(self._initial.popleft())
        ring = self._ring
        while self._position < ring.start + len(ring.changes):
            if self._position < ring.start:
                raise expired()
            change = ring.changes[self._position - ring.start]
            self._position += 1
            event = self._seen(change)
            if event is not None:
                return event[0], self.view(event[1])
        return None

    def _seen(self, change: Change) -> tuple[str, Stored] | None:
        """How a change looks through the selector: an object that begins to match is ADDED."""
        if self._namespace is not None and change.namespace != self._namespace:
            return None
        before = change.old is not None and self._matches(change.old.obj)
        after = not change.gone and self._matches(change.new.obj)
        if after:
            return (MODIFIED if before else ADDED), change.new
        if not before:
            return None
        return DELETED, change.new

    def wake(self) -> None:
        """There may be something new."""
        self._awake.set()

    def close(self) -> None:
        """Stop listening."""
        self._ring.leave(self)
