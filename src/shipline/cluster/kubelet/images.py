"""A container's image: present by policy, or pulled through the engine.

A *mapped* registry is known to the cluster by one name and to the engine by another address. Its images are
pulled from that address and tagged with the name asked for, so the host needs no entry for the name.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from shipline.cluster.api.machinery import Api
from shipline.cluster.engine import ContainerEngine
from shipline.cluster.errors import ContainerEngineError
from shipline.cluster.events import NORMAL, WARNING
from shipline.cluster.kubelet import credentials, reference
from shipline.cluster.kubelet.pullrecords import PullRecords
from shipline.cluster.kubelet.reference import InvalidReference, Reference

Json = dict[str, Any]
# Records an Event: (type, reason, message).
Tell = Callable[[str, str, str], None]


class ImageUnavailable(Exception):
    """An image cannot be had now. `reason` is the container's waiting reason, the text its message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Images:
    """The node's images. `endpoints` maps registry names to the addresses the engine pulls them from; it may
    be changed at any time."""

    def __init__(self, api: Api, engine: ContainerEngine, endpoints: Mapping[str, str]) -> None:
        self._api = api
        self._engine = engine
        self.endpoints = dict(endpoints)
        self._digests: dict[str, str] = {}
        self._records = PullRecords(api)
        self._pulling: dict[str, asyncio.Lock] = {}

    async def obtain(self, pod: Json, container: Json, tell: Tell, tell_pod: Tell) -> Json:
        """The engine's description of a container's image, pulled where its policy says so.

        Raises ImageUnavailable with one of InvalidImageName, ErrImageNeverPull, ErrImagePull.
        """
        name = container["image"]
        try:
            wanted = reference.parse(name)
        except InvalidReference as error:
            message = f'Failed to apply default image tag "{name}": couldn\'t parse image name "{name}": {error}'
            tell(WARNING, "InspectFailed", message)
            raise ImageUnavailable("InvalidImageName", message) from None
        policy = container.get("imagePullPolicy", "IfNotPresent")
        present = None if policy == "Always" else await self.present(wanted)
        if present is not None and self._may_use(pod, wanted, present):
            note = f'Container image "{name}" already present on machine and can be accessed by the pod'
            tell(NORMAL, "Pulled", note)
            return present
        if policy == "Never":
            message = f'Container image "{name}" is not present with pull policy of Never'
            if present is not None:
                message = (
                    f'Container image "{name}" is present with pull policy of Never but does not have the proper '
                    "credentials to access the image"
                )
            tell(WARNING, "ErrImageNeverPull", message)
            raise ImageUnavailable("ErrImageNeverPull", message)
        return await self._pulled(pod, name, wanted, tell, tell_pod)

    def _may_use(self, pod: Json, wanted: Reference, image: Json) -> bool:
        secrets, _ = credentials.of_pod(self._api, pod)
        return self._records.may_use(str(image["Id"]), str(wanted), credentials.matching(secrets, wanted))

    async def present(self, wanted: Reference) -> Json | None:
        """The image if the engine has it."""
        try:
            found: Json = await self._engine.get(f"images/{wanted.familiar()}/json")
        except ContainerEngineError as error:
            if error.status != 404:
                raise
            return None
        return found

    async def _pulled(self, pod: Json, name: str, wanted: Reference, tell: Tell, tell_pod: Tell) -> Json:
        secrets, missing = credentials.of_pod(self._api, pod)
        if missing:
            note = f"Unable to retrieve some image pull secrets ({', '.join(missing)}); "
            note += "attempting to pull the image may not succeed."
            tell_pod(WARNING, "FailedToRetrieveImagePullSecret", note)
        tell(NORMAL, "Pulling", f'Pulling image "{name}"')
        began = monotonic()
        failure = ""
        attempts: list[Json | None] = [*credentials.matching(secrets, wanted)]
        for credential in attempts or [None]:
            try:
                image = await self._pull(wanted, credential)
                self._records.note(str(image["Id"]), str(wanted), credential)
                break
            except ContainerEngineError as error:
                failure = self._in_our_words(error.message, wanted)
        else:
            tell(WARNING, "Failed", f'Failed to pull image "{name}": {failure}')
            raise ImageUnavailable("ErrImagePull", failure)
        took = round((monotonic() - began) * 1000)
        text = f"{took}ms" if took < 1000 else f"{took / 1000:g}s"
        note = f'Successfully pulled image "{name}" in {text} ({text} including waiting). '
        tell(NORMAL, "Pulled", f"{note}Image size: {image['Size']} bytes.")
        return image

    async def _pull(self, wanted: Reference, credential: Json | None) -> Json:
        """One at a time for each image: the name it is pulled under goes when it has got its own."""
        async with self._pulling.setdefault(str(wanted), asyncio.Lock()):
            try:
                return await self._pull_alone(wanted, credential)
            except ContainerEngineError as error:
                if error.status != 404:
                    raise
                # Another cluster on this engine took the name away in between.
                return await self._pull_alone(wanted, credential)

    async def _pull_alone(self, wanted: Reference, credential: Json | None) -> Json:
        server = self.endpoints.get(wanted.registry, wanted.registry)
        headers = {"X-Registry-Auth": credentials.header(credential, server)} if credential else None
        repository, tag = f"{server}/{wanted.path}", wanted.digest or wanted.tag
        digest = ""
        progress = self._engine.lines("images/create", "POST", headers=headers, fromImage=repository, tag=tag)
        async for line in progress:
            if line.get("error"):
                raise ContainerEngineError(500, line["error"])
            if str(line.get("status", "")).startswith("Digest: "):
                digest = line["status"].removeprefix("Digest: ")
        pulled = f"{repository}@{wanted.digest}" if wanted.digest else f"{repository}:{wanted.tag}"
        image: Json = await self._engine.get(f"images/{pulled}/json")
        if server != wanted.registry:
            # An image pulled by digest cannot carry that digest under another name: it gets a tag made of it.
            as_tag = wanted.tag or wanted.digest.replace(":", "-")
            await self._engine.post(f"images/{pulled}/tag", repo=f"{wanted.registry}/{wanted.path}", tag=as_tag)
            self._digests[image["Id"]] = f"{wanted.registry}/{wanted.path}@{digest}" if digest else ""
            with contextlib.suppress(ContainerEngineError):
                await self._engine.delete(f"images/{pulled}", noprune=True)
        return image

    def _in_our_words(self, message: str, wanted: Reference) -> str:
        """The engine's error, under the name that the pod used."""
        endpoint = self.endpoints.get(wanted.registry)
        return message if endpoint is None else message.replace(endpoint, wanted.registry)

    def shown(self, name: str, image: Json) -> tuple[str, str]:
        """(image, imageID) of a container's status."""
        wanted = reference.parse(name)
        digests = [digest for digest in image.get("RepoDigests") or [] if digest]
        mine = next((digest for digest in digests if wanted.path in digest), "")
        return str(wanted), self._digests.get(image["Id"]) or mine or str(image["Id"])
