"""parallel: one written job becomes several, by number or by the rows of a matrix."""

from __future__ import annotations

from itertools import product
from typing import Any

import msgspec

from shipline.language.keywords.job import JobConfig


class Instance(msgspec.Struct, frozen=True):
    """One job that a written job stands for. `variables` are those of its matrix row; `index` counts from 1."""

    name: str
    index: int | None = None
    total: int | None = None
    variables: dict[str, str] = {}


def instances(config: JobConfig) -> list[Instance]:
    """The jobs that a written job stands for: `job 1/3`, `job: [a, b]`, or just the job. Of two rows with the same
    values, which make the same name, the last counts, in the place of the first.
    """
    parallel = config.parallel
    if parallel is None:
        return [Instance(config.name)]
    if isinstance(parallel, int):
        return [Instance(f"{config.name} {index}/{parallel}", index, parallel) for index in range(1, parallel + 1)]
    chosen = rows(parallel)
    named = {matrix_name(config.name, row): (index, row) for index, row in enumerate(chosen, 1)}
    return [Instance(name, index, len(chosen), row) for name, (index, row) in named.items()]


def rows(matrix: list[dict[str, list[str]]]) -> list[dict[str, str]]:
    """Every combination of each row, the last variable changing fastest."""
    return [dict(zip(row, values, strict=True)) for row in matrix for values in product(*row.values())]


def matrix_name(name: str, row: dict[str, str]) -> str:
    return f"{name}: [{', '.join(row.values())}]"


def selected(name: str, matrix: list[dict[str, Any]]) -> list[str]:
    """The names of the parts of a job that a need's own matrix selects."""
    return [matrix_name(name, row) for row in rows(matrix)]
