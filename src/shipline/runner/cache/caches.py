"""The caches of one job: `restore` before its scripts, `save` after them. Whatever goes wrong is told in the log,
and the job goes on.

A cache that was restored and not touched since is not packed again: the same names, and no file whose status has
changed since (which, unlike its time of modification, nobody can set back).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from shipline.objects.folder import Folder
from shipline.objects.objects import Objects, ObjectsError
from shipline.protocol.payload import Cache
from shipline.runner.cache.keys import Key, file_name, key_of, object_name
from shipline.runner.cache.seal import is_damaged, seal
from shipline.runner.files.archive import pack
from shipline.runner.files.extraction import Archive, look_over
from shipline.runner.files.members import Entry, FilesError, ProjectFiles
from shipline.runner.files.selection import Selection, select
from shipline.runner.files.tar_archive import TarArchive
from shipline.runner.job import Job
from shipline.runner.trace.trace import Trace

FALLBACK = "CACHE_FALLBACK_KEY"
PROTECTED = "-protected"
LEVEL = "CACHE_COMPRESSION_LEVEL"
FORMAT = "CACHE_COMPRESSION_FORMAT"
FORMATS = ("zip", "zipzstd", "tarzstd")
TIMEOUT = "CACHE_REQUEST_TIMEOUT"  # minutes
USUAL_TIMEOUT = 10
MINUTE = 60.0  # seconds
YELLOW, RESET = "\x1b[0;33m", "\x1b[0;m"


class CacheError(Exception):
    """A cache can't be restored or saved; the text says why."""


class Restored(msgspec.Struct, frozen=True):
    """What a cache's files were when they had been restored. `mark` is the project's sign for that moment."""

    key: Key
    version: str
    names: frozenset[tuple[str, str]]
    mark: str


class Caches:
    """Made for one job; `restore` once and `save` once, each when no stage runs. `folder` is for archives on their
    way; what a killed process leaves there is somebody else's to remove."""

    def __init__(self, job: Job, place: Objects, files: ProjectFiles, trace: Trace, folder: Path) -> None:
        self._job = job
        self._place = place
        self._files = files
        self._trace = trace
        self._folder = folder
        self._restored: dict[int, Restored] = {}
        minutes = job.variables.number(TIMEOUT, USUAL_TIMEOUT)
        self._patience = MINUTE * (minutes if minutes > 0 else USUAL_TIMEOUT)

    async def restore(self) -> None:
        """Takes in what earlier jobs left."""
        for index, cache in self._worth():
            with self._never_failing(f"cache {cache.key} was not restored"):
                await self._restore(index, cache)

    async def _restore(self, index: int, cache: Cache) -> None:
        key = self._key(cache.key)
        if not key.shown:
            self._trace.info("Skipping cache extraction due to empty cache key")
            return
        if not self._allows(cache, "pull", key):
            self._trace.info(f"Not downloading cache {key.shown} due to policy")
            return
        for candidate in [key, *self._fallbacks(cache)]:
            self._trace.info(f"Checking cache for {candidate.shown}...")
            try:
                restored = await self._take(candidate)
            except CacheError as error:
                self._trace.warning(str(error))
                self._yellow("Failed to extract cache")
                continue
            self._trace.info("Successfully extracted cache")
            if candidate == key:
                self._restored[index] = restored
            return

    def _fallbacks(self, cache: Cache) -> Iterator[Key]:
        for written in cache.fallback_keys:
            if expanded := self._job.variables.expand(written):
                yield from self._usable(self._key(expanded))
        if written := self._job.variables.get(FALLBACK):
            key = self._key(written)
            if key.shown.endswith(PROTECTED):
                self._trace.warning(f'{FALLBACK} "{key.shown}" not allowed to end in "{PROTECTED}"')
            else:
                yield from self._usable(key)

    def _usable(self, key: Key) -> Iterator[Key]:
        if key.shown:
            yield key
        else:
            self._trace.info("Skipping cache extraction due to empty cache key")

    async def _take(self, key: Key) -> Restored:
        """Fetches a cache and puts it into the project. CacheError when it is not there or is no good."""
        name = self._name(key)
        if isinstance(self._place, Folder):
            self._trace.line(
                "No URL provided, cache will not be downloaded from shared cache server. "
                "Instead a local version of cache will be extracted. "
            )
        else:
            self._trace.line(f"Downloading cache from {self._place.place(name)}")
        try:
            async with asyncio.timeout(self._patience):
                fetched = await self._place.fetch(name)
        except ObjectsError as error:
            raise CacheError(str(error)) from None
        except TimeoutError:
            raise CacheError(
                f"{self._place.place(name)}: no answer within {self._patience / MINUTE:g} minutes"
            ) from None
        if fetched is None:
            raise CacheError(
                "Cache file does not exist" if isinstance(self._place, Folder) else "file does not exist"
            )
        with fetched.file as file:
            try:
                archive = await asyncio.to_thread(self._looked_over, file)
                await self._files.write(archive.members)
            except FilesError as error:
                raise CacheError(str(error)) from None
        return Restored(key, fetched.stored.version, archive.names, await self._files.mark())

    def _looked_over(self, file: IO[bytes]) -> Archive | TarArchive:
        """An archive that may be unpacked here."""
        if is_damaged(file):
            raise CacheError("the archive is damaged")
        archive = look_over(file)
        with contextlib.suppress(OSError):  # the project is not on this machine
            free = shutil.disk_usage(self._job.places.project).free
            if archive.size > free:
                raise CacheError(f"the archive unpacks to {archive.size} bytes, and {free} are free")
        return archive

    def due(self, success: bool) -> bool:
        """Whether a job that ended so has anything to save."""
        return any(_is_due(cache, success) for _, cache in self._worth())

    def _worth(self) -> Iterator[tuple[int, Cache]]:
        """The caches that name files, with their place in the job."""
        return ((index, cache) for index, cache in enumerate(self._job.payload.cache) if names_files(cache))

    async def save(self, success: bool) -> None:
        """Leaves what later jobs may take in."""
        for index, cache in self._worth():
            if _is_due(cache, success):
                with self._never_failing(f"cache {cache.key} was not saved"):
                    await self._save(index, cache)

    async def _save(self, index: int, cache: Cache) -> None:
        key = self._key(cache.key)
        if not key.shown:
            self._trace.info("Skipping cache archiving due to empty cache key")
            return
        if not self._allows(cache, "push", key):
            self._trace.info(f"Not uploading cache {key.shown} due to policy")
            return
        self._trace.info(f"Creating cache {key.shown}...")
        try:
            await self._leave(index, cache, key)
        except (CacheError, FilesError, ObjectsError) as error:
            self._trace.warning(str(error))
            self._yellow("Failed to create cache")
        else:
            self._trace.info("Created cache")

    async def _leave(self, index: int, cache: Cache, key: Key) -> None:
        paths = [self._job.variables.expand(path) for path in cache.paths or ()]
        project = self._job.places.project
        chosen = await select(self._files, project, paths, untracked=bool(cache.untracked))
        for note in chosen.notes:
            (self._trace.warning if note.level == "warning" else self._trace.line)(note.text)
        if not chosen.entries or await self._unchanged(self._restored.get(index), key, chosen):
            self._trace.line("Archive is up to date!")
            return
        wanted = self._job.variables.get(FORMAT).lower()
        name = self._name(key)
        with self._scratch() as archive:
            form = wanted if wanted in FORMATS else "zip"
            await pack(self._files, chosen.entries, archive, form, self._level())
            await asyncio.to_thread(seal, archive)
            size = (await asyncio.to_thread(archive.stat)).st_size
            limit = self._job.config.cache.max_uploaded_archive_size if self._job.config.cache else 0
            if isinstance(self._place, Folder):
                self._trace.line(
                    "No URL provided, cache will not be uploaded to shared cache server. "
                    "Cache will be stored only locally. "
                )
            elif limit and size > limit:
                raise CacheError(f"Cache archive size ({size}) is too big (Limit is set to {limit})")
            else:
                self._trace.line(f"Uploading cache.zip to {self._place.place(name)}")
            try:
                async with asyncio.timeout(self._patience):
                    await self._place.keep(name, archive)
            except TimeoutError:
                waited = f"not stored within {self._patience / MINUTE:g} minutes"
                raise CacheError(f"{self._place.place(name)}: {waited}") from None

    async def _unchanged(self, restored: Restored | None, key: Key, chosen: Selection) -> bool:
        """Whether the files are what was restored, and that is still what is stored under the key."""
        if restored is None or restored.key != key or _names(chosen.entries) != restored.names:
            return False
        if await self._files.touched(restored.mark, [entry.path for entry in _tops(chosen.entries)]):
            return False
        stored = await self._place.look(self._name(key))
        return stored is not None and stored.version == restored.version

    def _key(self, written: str) -> Key:
        key = key_of(written, self._job.payload, self._job.variables)
        if key.warning:
            self._trace.warning(key.warning)
        return key

    def _name(self, key: Key) -> str:
        name = file_name if isinstance(self._place, Folder) else object_name
        return name(key, self._job.payload, self._job.config)

    def _allows(self, cache: Cache, direction: str, key: Key) -> bool:
        policy = self._job.variables.expand(cache.policy) or "pull-push"
        if policy not in ("pull-push", "pull", "push"):
            raise CacheError(f"unknown cache policy {policy} for {key.shown}")
        return policy in ("pull-push", direction)

    def _level(self) -> str:
        """Locally, packing costs more than it saves; over a network it is the other way round."""
        usual = "fast" if isinstance(self._place, Folder) else "default"
        return self._job.variables.get(LEVEL) or usual

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A file for an archive, on the disk where it will stay if that is this machine's."""
        if isinstance(self._place, Folder):
            archive = self._place.part()
        else:
            descriptor, name = tempfile.mkstemp(prefix="cache-", suffix=".zip", dir=self._folder)
            os.close(descriptor)
            archive = Path(name)
        try:
            yield archive
        finally:
            archive.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _never_failing(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a cache is a convenience, whatever happens to it
            self._trace.warning(f"{what}: {error or type(error).__name__}")

    def _yellow(self, text: str) -> None:
        self._trace.line(f"{YELLOW}{text}{RESET}")


def names_files(cache: Cache) -> bool:
    """Whether there is anything that the cache is to hold."""
    return bool(cache.paths or cache.untracked)


def _is_due(cache: Cache, success: bool) -> bool:
    return cache.when == "always" or (cache.when == "on_failure") != success


def _names(entries: list[Entry]) -> frozenset[tuple[str, str]]:
    return frozenset((entry.path, entry.kind) for entry in entries)


def _tops(entries: list[Entry]) -> Iterator[Entry]:
    """The entries that lie in no folder among them; the entries are in the order of their paths."""
    folders: set[str] = set()
    for entry in entries:
        parent = entry.path
        while parent and parent not in folders:
            parent = parent.rpartition("/")[0]
        if not parent:
            yield entry
            if entry.kind == "folder":
                folders.add(entry.path)
