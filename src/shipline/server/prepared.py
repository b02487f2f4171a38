"""Statements of the busiest calls, compiled once and given to the driver as they are.

SQLAlchemy takes some 60 µs for the ceremony around each statement; a runner that asks for a job costs a dozen of
them. What is prepared here is still one statement for both databases, and its rows still have names.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa


class Prepared:
    """A statement, to be run with `Database.first`, `Database.rows` and `Database.change`."""

    def __init__(self, statement: Any) -> None:
        self.statement = statement
        self._forms: dict[str, Form] = {}

    def form(self, dialect: sa.Dialect) -> Form:
        """What the database's driver is given."""
        if dialect.name not in self._forms:
            self._forms[dialect.name] = Form(self.statement, dialect)
        return self._forms[dialect.name]


class Form:
    """A statement as one driver takes it, and the way back from its rows."""

    def __init__(self, statement: Any, dialect: sa.Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.text = str(compiled)
        self._fixed = dict(compiled.params)
        self._places: list[str] | None = getattr(compiled, "positiontup", None)
        columns = list(getattr(statement, "selected_columns", ()))
        self._named: Callable[[Iterable[Any]], Any] = _row_of([column.key for column in columns])
        self._flags = [place for place, column in enumerate(columns) if isinstance(column.type, sa.Boolean)]

    def parameters(self, values: dict[str, Any]) -> Any:
        """The values in the driver's form."""
        if self._places is None:
            return self._fixed | values
        fixed = self._fixed
        return [values[name] if name in values else fixed[name] for name in self._places]

    def row(self, found: tuple[Any, ...]) -> Any:
        """A row with names."""
        if not self._flags:
            return self._named(found)
        read = list(found)
        for place in self._flags:
            read[place] = None if read[place] is None else bool(read[place])
        return self._named(read)


def _row_of(names: list[str]) -> Callable[[Iterable[Any]], Any]:
    """What makes a row with names; those that Python cannot take as names are numbered."""
    made: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # the names come from the statement
    make: Callable[[Iterable[Any]], Any] = made._make
    return make
