"""A backup of a whole server as one file, taken while it serves, and put back on SQLite or PostgreSQL alike.

The file is a tar archive: the database's rows first, as they were at one moment, then what they speak of. Logs only
grow, artifacts never change and git never removes what a commit needs, so that what is copied later holds at least
what the rows know of. Of a repository, refs come before the objects, for the same reason. What the bucket has comes
last: it may have moved there meanwhile.
"""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec
import sqlalchemy as sa

from shipline import __version__
from shipline.server.backed_objects import COPIES, INSIDE, KINDS, Returning, add_objects, address_of, opened
from shipline.server.database import Database
from shipline.server.errors import ServerError
from shipline.server.settings import Settings

FORM = 2
"""1 knew of no objects in a bucket."""
HEAD = "shipline-backup.json"
KEY = "key"
SIGNING = ("id-token-key.pem", "registry.key", "registry.crt")
"""Keys that are made anew where they are missing, but that others have been told of: they go where the key goes."""
DATABASE_FILES = ("server.db", "server.db-wal", "server.db-shm")
OF_PROCESSES = ("writers", "alembic_version")
"""Tables that are not the server's memory."""
ROWS_AT_ONCE = 1000
COMPRESSION = 3  # most of a server is packed already
REPOSITORY_ORDER = {"objects": 1, "lfs": 1}


class Header(msgspec.Struct):
    """What a backup says of itself. `revision` is the form of its rows."""

    form: int
    revision: str
    version: str
    created_at: float
    tables: list[str]
    with_key: bool


def back_up(settings: Settings, target: IO[bytes], *, with_key: bool = True, with_objects: bool = True) -> None:
    """Writes the backup to a stream, with what the server's bucket holds unless it is told to leave that out.
    Raises ServerError when there is no server's home, or the bucket cannot be read."""
    if not (settings.home / KEY).exists():
        raise ServerError(f"{settings.home} is no server's home: it has no key. Name the home with --home.")
    bucket = opened(address_of(settings)) if with_objects else None
    database = Database(settings.database_url)
    try:
        with (
            gzip.GzipFile(fileobj=target, mode="wb", compresslevel=COMPRESSION) as packed,
            tarfile.open(fileobj=packed, mode="w|") as archive,
            database.snapshot(),
        ):
            _write_rows(archive, database, with_key)
            if with_key:
                for key in (KEY, *SIGNING):
                    _add(archive, settings.home / key, key)
            there = set()
            for path, name in _files(settings.home):
                if name.partition("/")[0] == COPIES and bucket is not None:
                    continue
                if _add(archive, path, name) and name.startswith(KINDS):
                    there.add(name)
            if bucket is not None:
                add_objects(archive, bucket, settings.home, there)
    finally:
        database.close()


def restore(settings: Settings, source: IO[bytes], key: bytes | None = None) -> Header:
    """Makes a home, and a database, of a backup; what came from a bucket goes to that of `settings`, if it names
    one. Nothing is there already, and nothing is when it fails. `key` is for a backup without one."""
    home = settings.home
    if home.exists() and any(home.iterdir()):
        raise ServerError(f"{home} is not empty. Restore to another --home, or move this one away.")
    bucket = opened(settings.objects)
    home.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=".restoring-", dir=home.parent) as folder:
        made = Path(folder) / "home"
        made.mkdir(mode=0o700)
        returning = Returning(bucket, Path(folder))
        try:
            header = _made(settings, source, key, made, returning)
            if home.exists():
                home.rmdir()
            made.rename(home)
        except BaseException:
            returning.undo()
            raise
        finally:
            returning.close()
    return header


def _made(settings: Settings, source: IO[bytes], key: bytes | None, made: Path, returning: Returning) -> Header:
    """The home, but for its name."""
    header = _extract(source, made, returning)
    if key is not None:
        (made / KEY).write_bytes(key)
    if not (made / KEY).exists():
        raise ServerError("The backup has no key. Give the server's key file with --key.")
    inside = msgspec.structs.replace(settings, home=made)
    rows = made / "database"
    _read_rows(Database(inside.database_url), header, rows)
    shutil.rmtree(rows)
    return header


def _write_rows(archive: tarfile.TarFile, database: Database, with_key: bool) -> None:
    known = sa.MetaData()
    known.reflect(database.connection)
    revision = database.one(sa.text("select version_num from alembic_version"))
    tables = [table for table in known.sorted_tables if table.name not in OF_PROCESSES]
    names = [str(table.name) for table in tables]
    header = Header(FORM, revision[0] if revision else "", __version__, time.time(), names, with_key)
    _add_bytes(archive, HEAD, msgspec.json.encode(header))
    for table in tables:
        with tempfile.TemporaryFile() as file:
            result = database.execute(sa.select(table).execution_options(yield_per=ROWS_AT_ONCE))
            for row in result:
                file.write(msgspec.json.encode(tuple(row)) + b"\n")
            about = tarfile.TarInfo(f"database/{table.name}.jsonl")
            about.size, about.mode, about.mtime = file.tell(), 0o600, int(time.time())
            file.seek(0)
            archive.addfile(about, file)


def _read_rows(database: Database, header: Header, folder: Path) -> None:
    """Makes the tables in the form that the rows have, puts these in, and brings all to today's form."""
    try:
        if sa.inspect(database.connection).get_table_names():
            raise ServerError("The database has tables already. Restore to an empty one.")
        with database.transaction(counted=False):
            database.migrate(header.revision)
            known = sa.MetaData()
            known.reflect(database.connection)
            tables = [known.tables[name] for name in header.tables]
            for table in reversed(tables):
                database.execute(sa.delete(table))
            for table in tables:
                for rows in _batches(folder / f"{table.name}.jsonl", table):
                    database.execute(sa.insert(table), rows)
                if not database.is_sqlite:
                    _go_on_counting(database, table)
        database.migrate()
    finally:
        database.close()


def _batches(path: Path, table: sa.Table) -> Iterator[list[dict[str, Any]]]:
    names = [column.name for column in table.columns]
    kind: Any = tuple[tuple(_kind(column) for column in table.columns)]  # type: ignore[misc]
    decoder = msgspec.json.Decoder(kind)
    batch: list[dict[str, Any]] = []
    with path.open("rb") as file:
        for line in file:
            batch.append(dict(zip(names, decoder.decode(line), strict=True)))
            if len(batch) == ROWS_AT_ONCE:
                yield batch
                batch = []
    if batch:
        yield batch


def _kind(column: sa.Column[Any]) -> Any:
    return bytes | None if isinstance(column.type, sa.LargeBinary) else Any


def _go_on_counting(database: Database, table: sa.Table) -> None:
    """PostgreSQL's sequences know nothing of rows that brought their numbers along."""
    for column in table.primary_key.columns:
        own = sa.text("select pg_get_serial_sequence(:table, :column)")
        found = database.one(own, {"table": table.name, "column": column.name})
        if found is not None and found[0]:
            highest = sa.select(sa.func.coalesce(sa.func.max(column) + 1, 1)).scalar_subquery()
            database.execute(sa.select(sa.func.setval(found[0], highest, False)))


def _files(home: Path) -> Iterator[tuple[Path, str]]:
    """Everything below the home but the database and the key, refs before objects."""
    for top in sorted(home.iterdir()):
        if top.name in (KEY, *DATABASE_FILES) or not top.is_dir():
            continue
        yield top, top.name
        entries = [path for path in top.rglob("*") if not path.name.endswith((".part", ".lock"))]
        depth = 1 if top.name == "repositories" else 0

        def late(path: Path, top: Path = top, depth: int = depth) -> tuple[int, str]:
            parts = path.relative_to(top).parts
            return (REPOSITORY_ORDER.get(parts[depth], 0) if depth < len(parts) else 0, str(path))

        for path in sorted(entries, key=late):
            yield path, str(path.relative_to(home))


def _add(archive: tarfile.TarFile, path: Path, name: str) -> bool:
    """What has gone meanwhile (an expired artifact) is left out: whether it was there."""
    try:
        archive.add(path, name, recursive=False)
    except FileNotFoundError:
        return False
    return True


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    about = tarfile.TarInfo(name)
    about.size, about.mode, about.mtime = len(data), 0o600, int(time.time())
    archive.addfile(about, io.BytesIO(data))


def _extract(source: IO[bytes], folder: Path, returning: Returning) -> Header:
    """Unpacks into the folder. ServerError for what is no backup, or one of a newer Shipline."""
    header = None
    try:
        with tarfile.open(fileobj=source, mode="r|*") as archive:
            for member in archive:
                if header is None:
                    file = archive.extractfile(member) if member.name == HEAD else None
                    if file is None:
                        raise ServerError("This is no backup of a Shipline server.")
                    header = msgspec.json.decode(file.read(), type=Header)
                    if header.form > FORM:
                        raise ServerError(
                            f"The backup was made by Shipline {header.version}: restore it with that."
                        )
                    continue
                if member.name.startswith(INSIDE):
                    returning.take(archive, member, lambda inside: archive.extract(inside, folder, filter="data"))
                else:
                    archive.extract(member, folder, filter="data")
    except (tarfile.TarError, EOFError, msgspec.DecodeError, OSError) as error:
        raise ServerError(f"The backup cannot be read: {error}") from None
    if header is None:
        raise ServerError("This is no backup of a Shipline server: it is empty.")
    return header
