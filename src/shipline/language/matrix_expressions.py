"""`$[[ matrix.NAME ]]` in a need, its name or its matrix: the value that the needing job's own row has."""

from __future__ import annotations

import re
from typing import Any

from shipline.language.findings import refuse
from shipline.language.keywords.job import JobConfig
from shipline.language.matrix import Instance
from shipline.language.values import Place

EXPRESSION = re.compile(r"\$\[\[\s*matrix\.([\w-]+)\s*\]\]")


def substituted_name(name: str, instance: Instance, config: JobConfig, place: Place) -> str:
    """A need's job with the row's values put in. Raises LanguageError for a name that no row has."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in instance.variables:
            raise refuse(f"{config.name} job: '{match[1]}' does not exist in matrix configuration", place)
        return instance.variables[match[1]]

    return EXPRESSION.sub(value, name) if "$[[" in name else name


def substituted(
    matrix: list[dict[str, Any]], instance: Instance, config: JobConfig, place: Place
) -> list[dict[str, Any]]:
    """A need's matrix with the row's values put in. Raises LanguageError for a name that no row has."""
    return [
        {key: [substituted_name(text, instance, config, place) for text in texts] for key, texts in row.items()}
        for row in matrix
    ]
