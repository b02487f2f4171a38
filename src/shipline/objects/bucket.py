"""Objects in a bucket, through `obstore`: S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage.

What a server answers is put in one line: its code and message, never a header or a signature.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipline.objects.objects import Fetched, ObjectsError, Stored

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

PIECE = 1 << 20
CHUNK = 8 << 20  # bytes of one request where an object is sent in several
AT_ONCE = 4
_XML = re.compile(r"<(Code|Message)>([^<]*)</\1>")
_STATUS = re.compile(r"status code: (\d{3} [A-Za-z ]+)")
_REQUEST = re.compile(r"Error performing [A-Z]+ (\S+)")


def client_options(plain: bool = False) -> ClientConfig:
    """How a server is talked to. `plain`: without TLS. A whole request takes as long as whoever waits lets it."""
    return {
        "allow_http": plain,
        "connect_timeout": timedelta(seconds=10),
        "read_timeout": timedelta(seconds=60),
        "timeout": timedelta(hours=24),
    }


def retries() -> RetryConfig:
    """Twice more, a second apart: what takes longer is told."""
    return {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}


class Bucket:
    """`store` is obstore's; `address` is what people call it (`s3://cache`). Names get `prefix` in front."""

    def __init__(self, store: ObjectStore, address: str, prefix: str = "") -> None:
        self._store = store
        self._address = address.rstrip("/")
        self._prefix = prefix.strip("/")

    def place(self, name: str = "") -> str:
        return "/".join(part for part in (self._address, self._prefix, name) if part)

    async def look(self, name: str) -> Stored | None:
        import obstore

        with self._told(name):
            try:
                return self._stored(name, await obstore.head_async(self._store, self._full(name)))
            except FileNotFoundError as error:
                _refuse_bucket(error)
                return None

    async def fetch(self, name: str) -> Fetched | None:
        import obstore

        with self._told(name):
            try:
                answer = await obstore.get_async(self._store, self._full(name))
            except FileNotFoundError as error:
                _refuse_bucket(error)
                return None
            stored = self._stored(name, answer.meta)
            file = tempfile.TemporaryFile()  # nameless: gone whenever this process is  # noqa: SIM115
            try:
                async for piece in answer.stream(PIECE):
                    file.write(piece)
                if file.tell() != stored.size:
                    raise ObjectsError(f"{self.place(name)}: {file.tell()} of {stored.size} bytes came")
                file.seek(0)
            except BaseException:
                file.close()
                raise
            return Fetched(stored, file)

    async def read(self, name: str, start: int = 0) -> AsyncIterator[bytes]:
        import obstore

        with self._told(name):
            options: Any = {"range": {"offset": start}} if start else {}
            answer = await obstore.get_async(self._store, self._full(name), options=options)
            async for piece in answer.stream(PIECE):
                yield bytes(piece)

    async def keep(self, name: str, file: Path) -> Stored:
        import obstore

        with self._told(name):
            status = await asyncio.to_thread(file.stat)
            done = await obstore.put_async(
                self._store, self._full(name), file, chunk_size=CHUNK, max_concurrency=AT_ONCE
            )
            return Stored(name, status.st_size, status.st_mtime, done["e_tag"] or done["version"] or "")

    async def remove(self, name: str) -> None:
        import obstore

        with self._told(name), contextlib.suppress(FileNotFoundError):
            await obstore.delete_async(self._store, self._full(name))

    async def address(self, name: str, good_for: timedelta) -> str | None:
        import obstore

        with self._told(name):
            # every store that an address opens can sign; the type of the interface does not say so
            store: Any = self._store
            return str(await obstore.sign_async(store, "GET", self._full(name), good_for))

    async def list(self, prefix: str = "") -> AsyncIterator[Stored]:
        import obstore

        with self._told(prefix):
            async for found in obstore.list(self._store, self._full(prefix) or None):
                for meta in found:
                    name = meta["path"]
                    yield self._stored(name[len(self._prefix) + 1 :] if self._prefix else name, meta)

    def _full(self, name: str) -> str:
        return "/".join(part for part in (self._prefix, name) if part)

    def _stored(self, name: str, meta: Any) -> Stored:
        return Stored(name, meta["size"], meta["last_modified"].timestamp(), meta["e_tag"] or "")

    @contextlib.contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """What goes wrong, as ObjectsError."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError) as error:
            raise ObjectsError(f"{self.place(name)}: {reason(str(error))}") from None


def _refuse_bucket(error: FileNotFoundError) -> None:
    """It may be the whole bucket that is not there."""
    if "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error):
        raise error


def reason(text: str) -> str:
    """One line of what obstore says over several."""
    text = text.partition("\n\nDebug source")[0]
    xml = dict(_XML.findall(text))
    status = _STATUS.search(text)
    if xml.get("Code"):
        return f"{xml['Code']}: {xml.get('Message', '')}".rstrip(": ")
    if status:
        return f"the server answered {status[1].strip()}"
    request = _REQUEST.search(text)
    if request and "HTTP error" in text:
        server = "/".join(request[1].split("/")[:3])
        return f"{server} cannot be reached ({text.rpartition('HTTP error: ')[2].splitlines()[0]})"
    return " ".join(text.split())[:300]
