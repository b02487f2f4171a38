"""Which of a project's variables a job gets: protection and environment scope."""

from __future__ import annotations

import re
from collections.abc import Iterable

from shipline.engine.records import Commit, ProjectVariable


def is_protected(commit: Commit) -> bool:
    """Whether the commit's ref is protected: as the commit says, else as in a fresh GitLab project, where the
    default branch is, and it alone."""
    if commit.protected is not None:
        return commit.protected
    return not commit.is_tag and commit.ref == commit.default_branch


def visible(
    variables: Iterable[ProjectVariable], protected: bool, environment: str | None
) -> list[ProjectVariable]:
    """The variables for a job, one a key: of several scopes that match its environment, the most specific."""
    chosen: dict[str, ProjectVariable] = {}
    for variable in variables:
        if (variable.protected and not protected) or not matches(variable.environment_scope, environment):
            continue
        known = chosen.get(variable.key)
        if known is None or _weight(variable.environment_scope) >= _weight(known.environment_scope):
            chosen[variable.key] = variable
    return list(chosen.values())


def matches(scope: str, environment: str | None) -> bool:
    """Whether a scope (`*`, `production`, `review/*`) takes in an environment; None: the job has none."""
    if scope == "*":
        return True
    pattern = ".*".join(re.escape(part) for part in scope.split("*"))
    return environment is not None and re.fullmatch(pattern, environment, re.DOTALL) is not None


def _weight(scope: str) -> tuple[bool, int]:
    return "*" not in scope, len(scope)
