"""What all tables are made with."""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, Table
from sqlalchemy.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_by_%(column_0_N_name)s",
        "uq": "%(table_name)s_one_%(column_0_N_name)s",
        "pk": "%(table_name)s_key",
    }
)


def numbered(name: str, *columns: SchemaItem) -> Table:
    """A table with an `id` of its own, which is never used twice."""
    number = Column("id", Integer, primary_key=True, autoincrement=True)
    return Table(name, metadata, number, *columns, sqlite_autoincrement=True)
