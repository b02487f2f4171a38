"""What the cluster warns about a pod, in its Events: volumes that cannot be mounted, nodes without room, ...

An Event tells what a pod's status keeps silent about, above all a volume that waits for what is not there.
"""

from __future__ import annotations

from shipline.runner.kubernetes.client import Client
from shipline.runner.kubernetes.errors import ApiError, Unreachable


class Warnings:
    """`heard` has the texts of all that were asked for yet."""

    def __init__(self, client: Client, namespace: str, pod: str) -> None:
        self._client = client
        self._path = f"/api/v1/namespaces/{namespace}/events"
        self._query = {"fieldSelector": f"involvedObject.name={pod},type=Warning"}
        self.heard: list[str] = []

    async def new(self) -> list[str]:
        """Those that were not given before, as "reason: message"; none where Events may not be read."""
        try:
            events = await self._client.get(self._path, **self._query)
        except (ApiError, Unreachable):
            return []
        texts = (f"{event.get('reason', '')}: {event.get('message', '')}" for event in events["items"])
        found = [text for text in dict.fromkeys(texts) if text not in self.heard]
        self.heard += found
        return found
