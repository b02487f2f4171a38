"""One pod as it changes, by watch: who waits for something is woken by the event that brings it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from shipline.runner.kubernetes.client import Client
from shipline.runner.kubernetes.errors import ApiError, Unreachable

Object = dict[str, Any]

PAUSE = 0.2  # seconds before a broken watch is begun again
PATIENCE = 60.0  # seconds without an answer until the cluster counts as lost


class PodWatcher:
    """Follows a pod from the object that `create` gave. `changed` is called with each new state, None when it is
    gone.

    `error` is what ended the watch for good.
    """

    def __init__(self, client: Client, pod: Object, changed: Callable[[Object | None], None]) -> None:
        self._client = client
        self.pod = pod
        self._changed = changed
        metadata = pod["metadata"]
        self._path = f"/api/v1/namespaces/{metadata['namespace']}/pods"
        self._name = metadata["name"]
        self._version = metadata["resourceVersion"]
        self.error: Exception | None = None
        self._task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        last_answer = asyncio.get_running_loop().time()
        while True:
            try:
                if not self._version:
                    self._take(await self._client.get(f"{self._path}/{self._name}"))
                query = {"fieldSelector": f"metadata.name={self._name}", "resourceVersion": self._version}
                async for kind, pod in self._client.watch(self._path, **query):
                    last_answer = asyncio.get_running_loop().time()
                    if kind == "DELETED":
                        self._changed(None)
                        return
                    self._version = pod["metadata"]["resourceVersion"]
                    if kind != "BOOKMARK":
                        self._take(pod)
            except ApiError as error:
                if error.code == 404:
                    self._changed(None)
                    return
                if error.code in (401, 403):
                    self.error = error
                    self._changed(self.pod)
                    return
                self._version = ""  # too old (410), or an error of the server: read it anew
            except Unreachable as error:
                if asyncio.get_running_loop().time() - last_answer > PATIENCE:
                    self.error = error
                    self._changed(self.pod)
                    return
            await asyncio.sleep(PAUSE)

    def _take(self, pod: Object) -> None:
        self.pod = pod
        self._version = pod["metadata"]["resourceVersion"]
        self._changed(pod)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
