"""Which of a project's variables a job gets: protection and environment scope."""

from __future__ import annotations

from collections.abc import Iterable

from shipline.engine.records import Commit, ProjectVariable
from shipline.language.pipeline import Variable
from shipline.language.scopes import Scoped, matches, weight


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
        if known is None or weight(variable.environment_scope) >= weight(known.environment_scope):
            chosen[variable.key] = variable
    return list(chosen.values())


def for_rules(
    variables: Iterable[ProjectVariable], protected: bool, level: str, masked: bool = False
) -> list[Variable]:
    """The variables of one level as the language asks for them: of every environment's scope, without those of
    protected refs unless the pipeline's ref is `protected`; the most specific last. `masked`: as if all were."""
    return [
        Scoped(v.key, v.value, level, v.kind == "file", masked or v.masked, v.raw, False, scope=v.environment_scope)
        for v in sorted(variables, key=lambda v: weight(v.environment_scope))
        if protected or not v.protected
    ]
