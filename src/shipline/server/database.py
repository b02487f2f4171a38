"""One connection to the database, and transactions on it.

The whole process uses the database from one thread, that of the event loop; statements take microseconds, and what
takes longer (git, compiling, hashing a password) is done outside. Writers wait for each other, in one process and
among several: what the engine decides is decided on what is there.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from shipline.server import tables
from shipline.server.errors import ServerError
from shipline.server.prepared import Prepared

WRITERS_LOCK = 0x5819
"""The advisory lock that writers on PostgreSQL take."""
BEGIN = f"begin; select pg_advisory_xact_lock({WRITERS_LOCK})"
COUNT = "update writers set count = count + 1 where process = '{}'; commit"
_changes = Prepared(
    sa.select(sa.func.coalesce(sa.func.sum(tables.writers.c.count), 0)).where(
        tables.writers.c.process != sa.bindparam("process")
    )
)

Values = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Database:
    """`execute` outside of a transaction commits at once."""

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
            self.connection = self._engine.connect()
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            shown = sa.engine.make_url(url).render_as_string(hide_password=True)
            raise ServerError(f"The database {shown} cannot be opened: {error}") from None
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        self.writer = secrets.token_hex(8)
        self._driver: Any = self.connection.connection.driver_connection
        self._depth = 0
        self._version: int | None = None
        if self.is_sqlite:
            for setting in ("journal_mode = wal", "synchronous = normal", "busy_timeout = 30000"):
                self.connection.exec_driver_sql(f"pragma {setting}")

    def migrate(self, revision: str = "head") -> None:
        """Brings the database to the form that this version knows, or to an older one."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = self.connection
        with self.transaction():
            try:
                command.upgrade(config, revision)
            except Exception as error:
                if "Can't locate revision" in str(error):
                    raise ServerError(
                        "The database was written by a newer Shipline. Upgrade Shipline, or restore a backup."
                    ) from None
                raise
        if not self.is_sqlite and revision == "head":
            self.execute(sa.insert(tables.writers).values(process=self.writer, count=0))

    def execute(self, statement: sa.Executable, values: Values | None = None) -> sa.CursorResult[Any]:
        return self.connection.execute(statement, values)

    def one(self, statement: sa.Executable, values: Values | None = None) -> Any | None:
        """The first row, None when there is none."""
        return self.execute(statement, values).first()

    def all(self, statement: sa.Executable, values: Values | None = None) -> Sequence[Any]:
        return self.execute(statement, values).all()

    def first(self, statement: Prepared, **values: Any) -> Any | None:
        """The first row of a prepared statement, None when there is none."""
        form = statement.form(self._engine.dialect)
        found = self._driver.execute(form.text, form.parameters(values)).fetchone()
        return None if found is None else form.row(found)

    def rows(self, statement: Prepared, **values: Any) -> list[Any]:
        """All rows of a prepared statement."""
        form = statement.form(self._engine.dialect)
        return [form.row(row) for row in self._driver.execute(form.text, form.parameters(values)).fetchall()]

    def change(self, statement: Prepared, **values: Any) -> int:
        """Runs a prepared statement that changes rows; gives how many."""
        form = statement.form(self._engine.dialect)
        return int(self._driver.execute(form.text, form.parameters(values)).rowcount)

    def insert(self, table: sa.Table, **values: Any) -> int:
        """Adds a row; gives its id."""
        result = self.execute(sa.insert(table).values(**values))
        return int((result.inserted_primary_key or (0,))[0])

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read inside is all of one moment, whatever others write meanwhile."""
        self._say("begin" if self.is_sqlite else "begin isolation level repeatable read read only")
        try:
            yield
        finally:
            self._say("rollback")

    @contextmanager
    def transaction(self, *, counted: bool = True) -> Iterator[None]:
        """What happens inside happens wholly or not at all, and no other writer comes between. Others hear of it
        unless it is not `counted`."""
        if self._depth:
            yield
            return
        self._say("begin immediate" if self.is_sqlite else BEGIN)
        self._depth = 1
        try:
            yield
        except BaseException:
            self._say("rollback")
            raise
        else:
            self._say("commit" if self.is_sqlite or not counted else COUNT.format(self.writer))
        finally:
            self._depth = 0
            self._version = None

    def _say(self, words: str) -> None:
        """Statements without parameters, past SQLAlchemy and in one message: these are the most frequent ones."""
        if self.is_sqlite:
            self._driver.execute(words)
        else:
            self._driver.execute(words, prepare=False)

    def version(self) -> int:
        """A number that changes when another process has changed the database; inside a transaction, none does."""
        if self._depth:
            if self._version is None:
                self._version = self._version_now()
            return self._version
        return self._version_now()

    def _version_now(self) -> int:
        if self.is_sqlite:
            return int(self._driver.execute("pragma data_version").fetchone()[0])
        found = self.first(_changes, process=self.writer)
        assert found is not None, "a sum is always there"
        return int(found[0])

    def close(self) -> None:
        self.connection.close()
        self._engine.dispose()
