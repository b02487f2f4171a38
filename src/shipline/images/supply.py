"""Sees to it that system images are on the engine: found by content, else pulled, else built.

An image is called `shipline/<recipe>:<fingerprint>`, and `shipline/<recipe>:latest` names the newest one. What
the engine already has by fingerprint costs one request each.
"""

import asyncio
import fcntl
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import aiodocker

from shipline.images import authorities, bootstrap, upstream
from shipline.images.errors import ImageError
from shipline.images.recipe import Recipe, load
from shipline.images.workshop import Workshop, load_archive

AT_ONCE = 2  # builds side by side: installing packages is as much waiting as working


def silent(_: str) -> None:
    """Tells nobody."""


async def ensure(
    engine: aiodocker.Docker, names: Iterable[str], progress: Callable[[str], None] = silent
) -> dict[str, str]:
    """Makes the named system images present and returns recipe -> image reference.

    `progress` is told one line for each image that has to be pulled or built. `ImageError` says what could not
    be made and what to do; what was made before stays.
    """
    supply = Supply(engine, progress)
    try:
        references = {name: supply.reference(name) for name in dict.fromkeys(names)}
        missing = [name for name in references if not await supply.present(name)]
        if missing:
            async with _alone():
                await supply.make(missing)
    except (aiodocker.DockerError, OSError) as error:
        raise ImageError(f"the container engine could not make the system images: {error}") from error
    return references


class Supply:
    """One run of making images; each recipe is made at most once, its base before it."""

    def __init__(self, engine: aiodocker.Docker, progress: Callable[[str], None]) -> None:
        self.engine = engine
        self.progress = progress
        self.authorities = authorities.of_host()
        self.workshop = Workshop(engine)
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._making: dict[str, asyncio.Task[None]] = {}
        self._public: asyncio.Task[bool] | None = None

    def reference(self, name: str) -> str:
        """The image's name on the engine, by content."""
        return f"shipline/{name}:{load(name).fingerprint(self.authorities)}"

    async def present(self, name: str) -> bool:
        """Whether the engine has the image; if so, `:latest` names it from now on."""
        try:
            image = await self.engine.images.inspect(self.reference(name))
        except aiodocker.DockerError as error:
            if error.status == 404:
                return False
            raise
        if f"shipline/{name}:latest" not in (image["RepoTags"] or []):
            await self.engine.images.tag(image["Id"], f"shipline/{name}", tag="latest")
        return True

    async def make(self, names: Iterable[str]) -> None:
        """Makes the images, those that do not need each other side by side."""
        try:
            async with asyncio.TaskGroup() as group:
                for name in names:
                    group.create_task(self._make(name))
        except* ImageError as failures:
            raise failures.exceptions[0] from None
        finally:
            for task in self._making.values():
                task.cancel()
            await asyncio.gather(*self._making.values(), return_exceptions=True)
            await self.workshop.close()

    async def _make(self, name: str) -> None:
        if name not in self._making:
            self._making[name] = asyncio.ensure_future(self._obtain(load(name)))
        await asyncio.shield(self._making[name])

    async def _obtain(self, recipe: Recipe) -> None:
        if await self.present(recipe.name):
            return
        if recipe.upstream and await self._registry_reachable(recipe):
            async with self._turn:
                await self._adopt(recipe, await upstream.pull(self.engine, recipe, self.progress))
        elif recipe.base:
            await self._make(recipe.base)
            async with self._turn:
                self.progress(f"{recipe.name}: building from Debian's packages")
                labels, tags = self._marks(recipe, "built")
                await self.workshop.build(recipe, self.reference(recipe.base), tags, labels)
        else:
            async with self._turn:
                self.progress(f"{recipe.name}: no public registry can be reached; building with debootstrap")
                await self._bootstrap(recipe)

    async def _registry_reachable(self, recipe: Recipe) -> bool:
        """Asks once, for the first recipe that wants to know: a registry that does not answer costs seconds."""
        if self._public is None:
            self._public = asyncio.ensure_future(upstream.reachable(self.engine, recipe))
        return await self._public

    async def _adopt(self, recipe: Recipe, pulled: str) -> None:
        """Gives a pulled image the host's authorities and our names."""
        labels, tags = self._marks(recipe, "pulled")
        await self.workshop.adopt(recipe, pulled, self.authorities, tags, labels)

    async def _bootstrap(self, recipe: Recipe) -> None:
        labels, tags = self._marks(recipe, "built")
        with tempfile.TemporaryDirectory(prefix="shipline-image-", dir=_roomy()) as folder:
            root = Path(folder) / "root.tar"
            await bootstrap.make(recipe.suite, self.authorities, root)
            config = recipe.config() | {"Cmd": recipe.command or ["bash"], "Labels": labels}
            await load_archive(self.engine, root, config, tags)

    def _marks(self, recipe: Recipe, origin: str) -> tuple[dict[str, str], list[str]]:
        reference = self.reference(recipe.name)
        labels = {"shipline.recipe": recipe.name, "shipline.origin": origin}
        return labels, [reference, f"shipline/{recipe.name}:latest"]


def _roomy() -> str | None:
    """A folder for files of some 100 MB: /tmp is often in memory."""
    return "/var/tmp" if not os.environ.get("TMPDIR") and Path("/var/tmp").is_dir() else None


@asynccontextmanager
async def _alone() -> AsyncIterator[None]:
    """Only one process of this user makes images at a time; the others then find them made."""
    folder = _state_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "images.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.2)
        yield


def _state_folder() -> Path:
    home = os.environ.get("SHIPLINE_HOME")
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home) if home else Path(state, "shipline").expanduser()
