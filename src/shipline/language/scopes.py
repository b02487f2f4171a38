"""Variables that are kept outside of the file for some environments only, and which of them a job sees."""

from __future__ import annotations

import re
from collections.abc import Iterable

from shipline.language.pipeline import Variable

EVERYWHERE = "*"


class Scoped(Variable, frozen=True):
    """A variable for the environments that `scope` takes in: a name, in which `*` stands for anything."""

    scope: str = EVERYWHERE


def matches(scope: str, environment: str | None) -> bool:
    """Whether a scope (`*`, `production`, `review/*`) takes in an environment; None: the job has none."""
    if scope == EVERYWHERE:
        return True
    pattern = ".*".join(re.escape(part) for part in scope.split("*"))
    return environment is not None and re.fullmatch(pattern, environment, re.DOTALL) is not None


def weight(scope: str) -> tuple[bool, int]:
    """What is greater for the more specific of two scopes."""
    return "*" not in scope, len(scope)


def is_scoped(variable: Variable) -> bool:
    """Whether the variable is for some environments only."""
    return isinstance(variable, Scoped) and variable.scope != EVERYWHERE


def for_environment(variables: Iterable[Variable], environment: str | None) -> list[Variable]:
    """The variables that a job of an environment sees, or of none, in their order."""
    return [v for v in variables if not isinstance(v, Scoped) or matches(v.scope, environment)]
