"""The cluster as the jobs of one runner share it: a client, who we are there, and what an earlier runner left."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import socket
from collections.abc import Callable
from pathlib import Path

from shipline.runner.config import RunnerConfig
from shipline.runner.errors import RunnerError
from shipline.runner.kubernetes.client import Client
from shipline.runner.kubernetes.errors import ApiError, Unreachable
from shipline.runner.kubernetes.kubeconfig import Access, load
from shipline.runner.pod.labels import KEPT_LABEL, MACHINE_LABEL, PROCESS_LABEL, Identity
from shipline.runner.process_mark import lives, process_mark

Notify = Callable[[str], None]

FIRST_PAUSE = 1.0  # seconds, each twice the one before
LONGEST_PAUSE = 60.0


class Cluster:
    """Made by `connect`; `close` when the last job is done."""

    def __init__(self, client: Client, identity: Identity, namespace: str, notify: Notify) -> None:
        self.client = client
        self.identity = identity
        self.namespace = namespace
        self.notify = notify
        self.settling: asyncio.Task[None] | None = None
        self._left: dict[str, int | None] = {}
        self._removing: asyncio.Task[None] | None = None

    async def remove(self, place: str, *, grace: int | None) -> None:
        """Deletes what a job had at this path of the API. While the cluster does not answer, it is tried again for
        as long as this process lives; the next one finds the rest."""
        name = place.rpartition("/")[2]
        try:
            await self.client.delete(place, grace=grace)
        except (ApiError, Unreachable) as error:
            later = not isinstance(error, ApiError) or error.code >= 500
            when = "; it is tried again until the cluster takes it" if later else ""
            self.notify(f"{name} could not be deleted: {error}{when}")
            if later:
                self._left[place] = grace
                if self._removing is None or self._removing.done():
                    self._removing = asyncio.create_task(self._remove_left())

    async def _remove_left(self) -> None:
        pause = FIRST_PAUSE
        while self._left:
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            for place, grace in list(self._left.items()):
                try:
                    await self.client.delete(place, grace=grace)
                except (ApiError, Unreachable) as error:
                    if not isinstance(error, ApiError) or error.code >= 500:
                        break
                    self.notify(f"{place.rpartition('/')[2]} could not be deleted: {error}")
                else:
                    self.notify(f"{place.rpartition('/')[2]} is deleted now")
                del self._left[place]

    async def close(self) -> None:
        for task in (self.settling, self._removing):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        await self.client.close()


async def connect(config: RunnerConfig, notify: Notify) -> Cluster:
    """Opens the cluster that the configuration names, and begins to settle what was left there.

    RunnerError when the configuration leads to no cluster."""
    found = access(config)
    namespace = config.kubernetes.namespace or found.namespace
    cluster = Cluster(Client(found), identity(), namespace, notify)
    cluster.settling = asyncio.create_task(_settle_quietly(cluster))
    return cluster


def access(config: RunnerConfig) -> Access:
    kubernetes = config.kubernetes
    if not kubernetes.host:
        return load(config.kubeconfig, config.context)
    try:
        return Access(
            server=kubernetes.host.rstrip("/"),
            authority=Path(kubernetes.ca_file).read_text() if kubernetes.ca_file else "",
            certificate=Path(kubernetes.cert_file).read_text() if kubernetes.cert_file else "",
            key=Path(kubernetes.key_file).read_text() if kubernetes.key_file else "",
            token=kubernetes.bearer_token,
            source="[runners.kubernetes] of the runner's configuration",
        )
    except OSError as error:
        raise RunnerError(f"[runners.kubernetes]: {error.filename}: {error.strerror}") from None


def identity() -> Identity:
    """This machine and user, and this process. Both are labels: letters and digits only."""
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine = ""
    # the host's name too: containers of one image may share a machine id, and their processes are not ours to judge
    known = f"{machine}/{socket.gethostname()}/{getpass.getuser()}"
    return Identity(hashlib.sha256(known.encode()).hexdigest()[:12], process_mark())


async def _settle_quietly(cluster: Cluster) -> None:
    """A cluster that is away is looked into when it is back."""
    pause, told = FIRST_PAUSE, False
    while True:
        try:
            await settle(cluster)
            return
        except (ApiError, Unreachable) as error:
            if not told:
                what = f"what an earlier runner may have left in {cluster.namespace} was not looked for"
                cluster.notify(f"{what}: {error}")
                told = True
            if isinstance(error, ApiError):
                return
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


async def settle(cluster: Cluster) -> list[str]:
    """Removes pods and Secrets that runners of this machine made whose process is gone, but for those of failed
    jobs that are kept; gives the pods' names."""
    selector = f"{MACHINE_LABEL}={cluster.identity.machine},!{KEPT_LABEL}"
    removed = []
    for kind in ("pods", "secrets"):
        path = f"/api/v1/namespaces/{cluster.namespace}/{kind}"
        found = await cluster.client.get(path, labelSelector=selector)
        for item in found["items"]:
            metadata = item["metadata"]
            owned = kind == "secrets" and metadata.get("ownerReferences")  # it goes with its pod
            ending = metadata.get("deletionTimestamp")  # a job's end has asked for it; the node takes its time
            if owned or ending or lives(metadata["labels"].get(PROCESS_LABEL, "")):
                continue
            await cluster.client.delete(f"{path}/{metadata['name']}", grace=0 if kind == "pods" else None)
            if kind == "pods":
                cluster.notify(f"removed the pod {metadata['name']}, which an earlier runner left")
                removed.append(metadata["name"])
    return removed
