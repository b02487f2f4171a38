"""The project folder's files of a job in a pod: each operation is a command in `helper`, with the bytes in its
streams.

The commands need a shell, find, tar, xargs, dd, head and tail, those of busybox too. Nothing that goes through is
held in memory: between the connection and the thread that packs or unpacks is a pipe. Where a connection breaks,
the operation is done again from its start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from shipline.runner.files.members import Entry, FilesError, Kind, Member, checked, folders_of
from shipline.runner.files.tar import BrokenOff, read_members, write_members
from shipline.runner.kubernetes.client import Client
from shipline.runner.kubernetes.errors import ApiError, Unreachable
from shipline.runner.kubernetes.streams import STDERR, STDOUT, Exec

T = TypeVar("T")
ATTEMPTS = 5
LONGEST_PAUSE = 5.0  # seconds between them
FINAL = (401, 403, 404)
BLOCK = 1 << 16
FRAME = 1 << 20
COMPLAINTS = 4096  # bytes of what a command says on its standard error

# Lists come on standard input: N bytes, each name followed by a NUL
FIND = r"""
cd "$1" || exit 1
head -c "$2" | xargs -0 sh -c '
for kind in "d" "l" "f -links 1" "f -links +1"; do find "$@" -type $kind -print0 2>/dev/null; printf "\0"; done
' find
exit 0
"""
UNTRACKED = 'cd "$1" && git -c safe.directory="*" ls-files -o -z'
# Files' times have steps of some milliseconds: what is changed next must not have the mark's own
MARK = ': > "$2" && { sleep 0.01 || sleep 1; } 2>/dev/null'
TOUCHED = r"""
cd "$1" || exit 1
find . -maxdepth 0 -cnewer "$3" >/dev/null 2>&1 || { echo unknown; exit 0; }
head -c "$2" | xargs -0 sh -c '
mark=$1; shift; find "$@" ! -type d -cnewer "$mark" -print 2>/dev/null | head -c 1
' find "$3"
exit 0
"""
# tar stores the second of two names for one file as a reference to the first, so such files are read one by one
READ = r"""
cd "$1" && l=$4/files.$$ && head -c "$2" > "$l" || exit 1
if [ "$3" -gt 0 ]; then head -c "$3" "$l" | xargs -0 tar -c -f - --no-recursion; s=$?; fi
if [ "$2" -gt "$3" ]; then tail -c "+$(($3 + 1))" "$l" | xargs -0 -n 1 tar -c -f -; t=$?; fi
rm -f "$l"
exit $((${s:-0} | ${t:-0}))
"""
LINKS = r"""
cd "$1" || exit 1
printf "%s\0" "$(pwd -P)"
head -c "$2" | xargs -0 sh -c '
for each; do [ ! -L "$each" ] || printf "%s\0%s\0" "$each" "$(readlink -f "$each")"; done
' links
"""
WRITE = r"""
umask 0
cd "$1" || exit 1
while read -r n && [ "$n" -gt 0 ]; do dd bs=65536 count="$n" iflag=fullblock 2>/dev/null; done | tar -x -o -p -f -
"""

# A node may lose what a command has printed last when the command ends: so it waits until that has come
WHOLE = """(
{script}
); s=$?
printf %s {end}
read -r _
exit $s"""


class PodFiles:
    """Implements `shipline.runner.files.members.ProjectFiles`. `scratch` is a folder of the helper."""

    def __init__(self, client: Client, namespace: str, pod: str, *, project: str, scratch: str) -> None:
        self._client = client
        self._namespace = namespace
        self._pod = pod
        self._project = project
        self._scratch = scratch

    async def find(self, roots: Sequence[str]) -> list[Entry]:
        if not roots:
            return []
        given = _listed(_argument(root) for root in roots)
        out = await self._again(lambda: self._ask(FIND, given, str(len(given))))
        found: dict[str, Entry] = {}
        kinds: list[tuple[Kind, bool]] = [("folder", False), ("link", False), ("file", False), ("file", True)]
        place = 0
        for name in out.split(b"\0")[:-1]:
            if not name:
                place += 1
                continue
            path = posixpath.normpath(os.fsdecode(name))
            kind, shared = kinds[place % len(kinds)]
            found[path] = Entry(path, kind, shared)
        return list(found.values())

    async def untracked(self) -> list[str]:
        out = await self._again(lambda: self._ask(UNTRACKED, b""))
        return [os.fsdecode(name) for name in out.split(b"\0") if name]

    async def mark(self) -> str:
        mark = f"{self._scratch}/mark-{os.urandom(6).hex()}"
        await self._again(lambda: self._ask(MARK, b"", mark))
        return mark

    async def touched(self, mark: str, roots: Sequence[str]) -> bool:
        given = _listed(_argument(root) for root in roots)
        return await self._again(lambda: self._ask(TOUCHED, given, str(len(given)), mark)) != b""

    async def read(self, entries: Sequence[Entry], take: Callable[[Iterable[Member]], T]) -> T:
        if not entries:
            return take(())
        return await self._again(lambda: self._read(entries, take))

    async def write(self, give: Callable[[], Iterable[Member]]) -> None:
        links = await self._links(give)
        await self._again(lambda: self._write(lambda: _without_folders(give(), links)))

    async def _again(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Does what needs a connection, more than once where it breaks."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await operation()
            except (ApiError, Unreachable) as error:
                if attempt == ATTEMPTS or (isinstance(error, ApiError) and error.code in FINAL):
                    raise FilesError(f"the stream to pod {self._namespace}/{self._pod} is lost: {error}") from None
            await asyncio.sleep(min(0.1 * 2**attempt, LONGEST_PAUSE))
        raise AssertionError

    @contextlib.asynccontextmanager
    async def _command(self, script: str, *arguments: str) -> AsyncIterator[_Command]:
        end = f"end-of-output-{os.urandom(16).hex()}"
        whole = WHOLE.format(script=script.strip(), end=end)
        words = ["sh", "-c", whole, "files", self._project, *arguments]
        connection = await Exec.start(self._client, self._namespace, self._pod, "helper", words)
        try:
            yield _Command(connection, end.encode())
        finally:
            await connection.close()

    async def _ask(self, script: str, given: bytes, *arguments: str) -> bytes:
        """What a command answers to what it is given. FilesError with its own words when it fails."""
        async with self._command(script, *arguments) as command:
            saying = asyncio.create_task(command.connection.write(given))
            try:
                answer = b"".join([part async for part in command.output()])
            finally:
                await _end(saying)
            command.check()
            return answer

    async def _read(self, entries: Sequence[Entry], take: Callable[[Iterable[Member]], T]) -> T:
        first = _listed(f"./{entry.path}" for entry in entries if not entry.shared)
        given = first + _listed(f"./{entry.path}" for entry in entries if entry.shared)
        source, sink = os.pipe()
        work = asyncio.create_task(asyncio.to_thread(_take, source, take, {entry.path for entry in entries}))
        writer = await _writer(sink)
        async with self._command(READ, str(len(given)), str(len(first)), self._scratch) as command:
            saying = asyncio.create_task(command.connection.write(given))
            try:
                with contextlib.suppress(ConnectionError):  # whoever takes has had enough, and says why
                    async for part in command.output():
                        writer.write(part)
                        await writer.drain()
            finally:
                writer.close()
                await _end(saying)
                await asyncio.wait([work])  # it has what there is to read, and lets go of what it writes
                failure = work.exception()
            if failure is None or isinstance(failure, BrokenOff):
                command.check(only_whole=True)
            taken, missing = work.result()
            if missing:
                command.check()
                raise FilesError(f"{min(missing)} cannot be read")
            return taken

    async def _links(self, give: Callable[[], Iterable[Member]]) -> set[str]:
        """The folders of the members that are links already, which must lead into the project folder."""
        folders = await asyncio.to_thread(lambda: folders_of(_checked(give())))
        if not folders:
            return set()
        given = _listed(f"./{folder}" for folder in folders)
        answer = await self._again(lambda: self._ask(LINKS, given, str(len(given))))
        project, *rest = [os.fsdecode(each) for each in answer.split(b"\0")[:-1]]
        for link, real in zip(rest[::2], rest[1::2], strict=True):
            if real != project and not real.startswith(f"{project}/"):
                name = posixpath.normpath(link)
                raise FilesError(f"{name!r} leads to {real or 'nowhere'}, outside of the project folder")
        return {posixpath.normpath(link) for link in rest[::2]}

    async def _write(self, give: Callable[[], Iterable[Member]]) -> None:
        source, sink = os.pipe()
        reader = await _reader(source)
        work = asyncio.create_task(asyncio.to_thread(_give, sink, give))
        try:
            async with self._command(WRITE) as command:
                listening = asyncio.create_task(command.drain())
                try:
                    await _send_frames(reader, command, listening, work)
                    await listening
                finally:
                    await _end(listening)
                command.check()
        finally:
            reader.close()
            await asyncio.wait([work])
            work.exception()


class _Command:
    """A running command, and the beginning of what it complains about. `end` is what it prints last."""

    def __init__(self, connection: Exec, end: bytes) -> None:
        self.connection = connection
        self._end = end
        self._is_whole = False
        self._complaints = bytearray()

    async def output(self) -> AsyncIterator[bytes]:
        """What the command prints, without its end; the command goes when that has come."""
        kept = b""
        async for stream, data in self.connection.output():
            if stream == STDOUT:
                data = kept + data
                self._is_whole = data.endswith(self._end)
                cut = max(0, len(data) - len(self._end))
                kept = data[cut:]
                if cut:
                    yield data[:cut]
                if self._is_whole:
                    await self.connection.write(b"\n")
            elif stream == STDERR and len(self._complaints) < COMPLAINTS:
                self._complaints += data

    async def drain(self) -> None:
        async for _ in self.output():
            pass

    def check(self, *, only_whole: bool = False) -> None:
        """FilesError unless the command succeeded; Unreachable where some of what it printed is missing."""
        if not self._is_whole and not self.connection.status:
            raise Unreachable("the stream ended too early")
        if self.connection.status and not (only_whole and self._is_whole):
            words = self._complaints.decode(errors="replace").strip()
            raise FilesError(words or f"exit status {self.connection.status}")


class _Pipe:
    """The end of a pipe that is read here."""

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.BaseTransport) -> None:
        self.reader = reader
        self._transport = transport

    def close(self) -> None:
        self._transport.close()


async def _send_frames(
    pipe: _Pipe, command: _Command, listening: asyncio.Task[None], work: asyncio.Task[None]
) -> None:
    """Sends what comes out of the pipe, in frames of whole blocks; returns early when the command has ended."""
    while not listening.done():
        try:
            data = await pipe.reader.readexactly(FRAME)
        except asyncio.IncompleteReadError as end:
            data = end.partial
        if not data:
            await work  # what went wrong there comes before what tar thinks of it
        blocks = -(-len(data) // BLOCK)
        try:
            await command.connection.write(f"{blocks}\n".encode() + data.ljust(blocks * BLOCK, b"\0"))
        except Unreachable:
            if listening.done() and listening.exception() is None:
                return
            raise
        if not data:
            return


async def _writer(descriptor: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(loop=loop), os.fdopen(descriptor, "wb", buffering=0)
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)


async def _reader(descriptor: int) -> _Pipe:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=FRAME, loop=loop)
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader, loop=loop), os.fdopen(descriptor, "rb", buffering=0)
    )
    return _Pipe(reader, transport)


def _take(source: int, take: Callable[[Iterable[Member]], T], missing: set[str]) -> tuple[T, set[str]]:
    """In a thread: gives the members to `take`, and what is missing at the end."""
    with os.fdopen(source, "rb") as stream:

        def members() -> Iterable[Member]:
            for member in read_members(stream):
                missing.discard(member.path)
                yield member

        try:
            taken = take(members())
        except tarfile.TarError as error:
            raise BrokenOff(f"the stream of files broke off: {error}") from None
        while stream.read(FRAME):
            pass
        return taken, missing


def _give(sink: int, give: Callable[[], Iterable[Member]]) -> None:
    """In a thread: writes the members. Nobody reading any more is no error of ours."""
    with contextlib.suppress(BrokenPipeError), os.fdopen(sink, "wb") as stream:
        write_members(stream, _checked(give()))


def _checked(members: Iterable[Member]) -> Iterable[Member]:
    for member in members:
        member.path = checked(member.path)
        yield member


def _without_folders(members: Iterable[Member], links: set[str]) -> Iterable[Member]:
    """The members but for folders that are there as links."""
    return (member for member in members if member.kind != "folder" or member.path not in links)


def _argument(root: str) -> str:
    return root if root == "." else f"./{root}"


def _listed(names: Iterable[str]) -> bytes:
    return b"".join(os.fsencode(name) + b"\0" for name in names)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()
