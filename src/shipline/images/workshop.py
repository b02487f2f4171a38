"""Builds a derived image in a container of its base, through the engine's API alone.

Packages are installed and files placed in a running container, which then becomes the image: one layer a recipe.
What is only needed while building (package lists, proxy settings, downloads) sits on mounts or in the
environment of the exec'd commands, and so is never part of an image.
"""

import asyncio
import os
import shlex
import tarfile
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiodocker

from shipline.images import archive
from shipline.images.errors import ImageError
from shipline.images.recipe import Recipe

# What a build inherits from the caller's environment: how to reach the package registries from here.
INHERITED = ("http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST")
LONGEST_BUILD = 900  # seconds
INSTALL = "apt-get -q install -y --no-install-recommends"
PURGE = "apt-get -q purge -y --autoremove"
TIDY = "rm -rf /var/log/* /var/cache/debconf/*-old /var/cache/ldconfig/* /var/lib/dpkg/*-old /root/.cache"
TRUST = (
    "bundle=/etc/ssl/certs/ca-certificates.crt; mkdir -p ${bundle%/*}; "
    "cat /tmp/authorities >>$bundle; rm /tmp/authorities"
)


class Workshop:
    """Builds recipes on one engine. The package lists of a base are fetched once and shared by its recipes."""

    def __init__(self, engine: aiodocker.Docker) -> None:
        self.engine = engine
        self._lists: dict[str, asyncio.Lock] = {}
        self._fetched: set[str] = set()

    async def build(self, recipe: Recipe, base: str, tags: list[str], labels: dict[str, str]) -> None:
        """Makes the image of `recipe` upon the image `base` and gives it the tags."""
        volume = f"shipline-apt-lists-{base.replace('/', '-').replace(':', '-')}"
        async with self._container(base, volume) as container:
            await self._install(container, recipe, volume)
            below = "/image" if recipe.scratch else ""
            if recipe.files:
                await container.put_archive("/", archive.of_files(recipe.contents(), below))
            for line in recipe.run:
                await self.execute(container, recipe, line)
            if recipe.scratch:
                await self._load_scratch(container, recipe, tags, labels)
            else:
                await self._tidy(container, recipe)
                await self.execute(container, recipe, shlex.join(recipe.check))
                await self._commit(container, recipe.config() | {"Labels": labels}, tags)

    async def adopt(
        self, recipe: Recipe, pulled: str, authorities: dict[str, bytes], tags: list[str], labels: dict[str, str]
    ) -> None:
        """Makes a pulled image ours: with the host's authorities in its bundle, its own configuration kept."""
        if not authorities:
            for tag in tags:
                await self._tag(pulled, tag)
            return
        created: Any = await self.engine.containers.create(
            {"Image": pulled, "Entrypoint": ["sleep"], "Cmd": ["60"]}
        )
        try:
            await created.start()
            await created.put_archive(
                "/", archive.of_files({"/tmp/authorities": (b"".join(authorities.values()), 0o644)})
            )
            await self.execute(created, recipe, TRUST)
            config = (await self.engine.images.inspect(pulled))["Config"]
            await self._commit(created, config | {"Labels": (config["Labels"] or {}) | labels}, tags)
        finally:
            await created.delete(force=True, v=True)

    async def close(self) -> None:
        """Removes the shared package lists."""
        volumes: Any = self.engine.volumes
        for volume in self._lists:
            try:
                await (await volumes.get(volume)).delete()
            except aiodocker.DockerError:
                pass  # never made, or another build still uses it and will remove it

    async def execute(self, container: Any, recipe: Recipe, line: str) -> None:
        """Runs a shell line as root in the container; `ImageError` with its last output when it fails."""
        environment = {"DEBIAN_FRONTEND": "noninteractive"}
        for name in INHERITED:
            value = os.environ.get(name) or os.environ.get(name.upper())
            if value:
                environment |= {name: value, name.upper(): value}
        call = await container.exec(["sh", "-ec", line], user="root", environment=environment)
        output = bytearray()
        async with call.start() as stream:
            while message := await stream.read_out():
                output += message.data
        if code := (await call.inspect())["ExitCode"]:
            last = "\n  ".join(output.decode(errors="replace").strip().splitlines()[-8:])
            raise ImageError(
                f"building the system image '{recipe.name}' failed at `{line}` (exit {code}):\n  {last}"
            )

    @asynccontextmanager
    async def _container(self, base: str, volume: str) -> AsyncIterator[Any]:
        """A waiting container of the base, removed afterwards whatever happens."""
        self._lists.setdefault(volume, asyncio.Lock())
        creating = asyncio.ensure_future(self.engine.containers.create(_waiting(base, volume)))
        try:
            container = await asyncio.shield(creating)
        except asyncio.CancelledError:
            await (await creating).delete(force=True, v=True)
            raise
        try:
            await container.start()
            yield container
        finally:
            await container.delete(force=True, v=True)

    async def _install(self, container: Any, recipe: Recipe, volume: str) -> None:
        packages = recipe.packages + recipe.build_packages
        if not packages:
            return
        async with self._lists[volume]:
            if volume not in self._fetched:
                await self.execute(container, recipe, "apt-get -q update")
                self._fetched.add(volume)
        await self.execute(container, recipe, f"{INSTALL} {' '.join(packages)}")

    async def _tidy(self, container: Any, recipe: Recipe) -> None:
        if recipe.build_packages:
            await self.execute(container, recipe, f"{PURGE} {' '.join(recipe.build_packages)}")
        await self.execute(container, recipe, TIDY)

    async def _commit(self, container: Any, config: dict[str, Any], tags: list[str]) -> None:
        # The engine fills what is absent here from the container, whose command was only to wait.
        entrypoint, command = config["Entrypoint"] or [], config["Cmd"] or []
        config = config | {"Entrypoint": entrypoint, "Cmd": command or ([] if entrypoint else ["sh"])}
        first, *others = tags
        name, tag = first.rsplit(":", 1)
        made = await container.commit(repository=name, tag=tag, config=config)
        for other in others:
            await self._tag(made["Id"], other)

    async def _tag(self, image: str, reference: str) -> None:
        name, tag = reference.rsplit(":", 1)
        await self.engine.images.tag(image, name, tag=tag)

    async def _load_scratch(self, container: Any, recipe: Recipe, tags: list[str], labels: dict[str, str]) -> None:
        packed: tarfile.TarFile = await container.get_archive("/image/.")
        with tempfile.TemporaryDirectory(prefix="shipline-image-") as folder:
            root = Path(folder) / "root.tar"
            with tarfile.open(root, "w") as target:
                for member in packed:
                    target.addfile(member, packed.extractfile(member) if member.isreg() else None)
            await load_archive(self.engine, root, recipe.config() | {"Labels": labels}, tags)
        await self._check_scratch(recipe, tags[0])

    async def _check_scratch(self, recipe: Recipe, image: str) -> None:
        entrypoint, *command = recipe.check
        container = await self.engine.containers.create(
            {"Image": image, "Entrypoint": [entrypoint], "Cmd": command}
        )
        try:
            await container.start()
            if code := (await container.wait())["StatusCode"]:
                raise ImageError(
                    f"the system image '{recipe.name}' does not work: {recipe.check} ended with {code}"
                )
        finally:
            await container.delete(force=True, v=True)


def _waiting(base: str, volume: str) -> dict[str, Any]:
    """A container that waits to be worked in, with the package lists and scratch space mounted."""
    return {
        "Image": base,
        "Entrypoint": ["sleep"],
        "Cmd": [str(LONGEST_BUILD)],
        "HostConfig": {
            "Mounts": [
                {"Type": "volume", "Source": volume, "Target": "/var/lib/apt/lists"},
                {"Type": "tmpfs", "Target": "/var/cache/apt"},
                {"Type": "tmpfs", "Target": "/tmp"},
            ],
        },
    }


async def load_archive(engine: aiodocker.Docker, root: Path, config: dict[str, Any], tags: list[str]) -> None:
    """Gives the engine an image whose only layer is the tar file `root`."""
    whole = root.with_suffix(".image")
    await asyncio.to_thread(archive.write, root, config, tags, whole)

    async def chunks() -> AsyncIterator[bytes]:
        with whole.open("rb") as stream:
            while chunk := await asyncio.to_thread(stream.read, 1 << 20):
                yield chunk

    await engine.images.import_image(chunks())
    whole.unlink()
