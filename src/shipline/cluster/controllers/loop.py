"""The control loop that every controller is: changes of some objects name keys, and each key is reconciled.

`reconcile` reads what there is now, does what is missing and returns when to look again without a change
(seconds), or None. It is an ordinary function: the Api answers at once and is the truth itself, so nothing
can change under its hands and nothing it reads is stale. It must be safe to call at any time and any number
of times.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.controllers.workqueue import Key, WorkQueue

Json = dict[str, Any]
Reconcile = Callable[[Key], float | None]
Keys = Callable[[Json], Iterable[Key]]


def key_of(obj: Json) -> Key:
    """The key of the object itself."""
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def itself(obj: Json) -> Iterable[Key]:
    """For `follow`: a change of an object concerns that object."""
    return (key_of(obj),)


class Loop:
    """One controller's loop. Say with `follow` what it depends on, then `run` it until cancelled."""

    def __init__(self, name: str, api: Api, reconcile: Reconcile) -> None:
        self.name = name
        self.queue = WorkQueue()
        self._api = api
        self._reconcile = reconcile
        self._sources: list[tuple[str, Keys]] = []
        self._log = logging.getLogger(f"shipline.cluster.{name}")

    def follow(self, resource: str, keys: Keys = itself) -> Loop:
        """Reconcile what `keys` names whenever an object of `resource` changes.

        `keys` is asked about the object as it is and as it was before, so that whoever loses sight of it
        hears of it.
        """
        self._sources.append((resource, keys))
        return self

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for resource, keys in self._sources:
                    tasks.create_task(self._watch(resource, keys), name=f"{self.name}: {resource}")
                tasks.create_task(self._work(), name=self.name)
        finally:
            self.queue.close()

    async def _watch(self, resource: str, keys: Keys) -> None:
        before: dict[Key, Json] = {}
        while True:
            try:
                watch = self._api.watch(resource)
                while True:
                    kind, stored = await watch.next_stored()
                    obj = stored.obj
                    self._add(keys, before.pop(key_of(obj), None))
                    self._add(keys, obj)
                    if kind != "DELETED":
                        before[key_of(obj)] = obj
            except ApiError as error:
                if error.status_code != 410:
                    raise
                # Too many changes at once to follow each: look at everything again.
                for obj in before.values():
                    self._add(keys, obj)
                before.clear()

    def _add(self, keys: Keys, obj: Json | None) -> None:
        for key in keys(obj) if obj is not None else ():
            self.queue.add(key)

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            self.work_on(key)
            await asyncio.sleep(0)  # others have their turn even when the queue is long

    def work_on(self, key: Key) -> None:
        """Reconcile one key and see to its next turn."""
        try:
            again = self._reconcile(key)
        except ApiError as error:
            pause = self.queue.retry(key)
            if error.status_code != 409:
                self._log.warning("%s: %s; again in %.3f s", "/".join(key), error, pause)
        except Exception:
            pause = self.queue.retry(key)
            self._log.exception("%s: again in %.3f s", "/".join(key), pause)
        else:
            self.queue.succeeded(key)
            if again is not None:
                self.queue.add_after(key, again)
