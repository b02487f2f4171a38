"""What a project's variable must be like: GitLab's rules for names, and for values that are to be masked."""

from __future__ import annotations

import re

from shipline.engine.errors import EngineError
from shipline.engine.records import ProjectVariable

MASKABLE = re.compile(r"[A-Za-z0-9_@:.~+/=-]{8,}\Z")
"""A masked value whose variables are expanded: a dollar in it would hide something else than it shows."""
MASKABLE_RAW = re.compile(r"\S{8,}\Z")
KEY_LIMIT = 255
SCOPE = re.compile(r"[A-Za-z0-9 _/${}.*-]{1,255}")


def check(variable: ProjectVariable) -> ProjectVariable:
    """The variable, when it can be kept; EngineError says why not. The value is in no message."""
    key = variable.key
    if not re.fullmatch(r"[A-Za-z0-9_]+", key) or len(key) > KEY_LIMIT:
        raise EngineError(f"'{key}' is no variable's name: at most {KEY_LIMIT} letters, digits and _.")
    if not SCOPE.fullmatch(variable.environment_scope):
        raise EngineError(
            f"'{variable.environment_scope}' is no scope for {key}: "
            f"at most {KEY_LIMIT} letters, digits, spaces and -_/${{}}.*"
        )
    if variable.hidden and not variable.masked:
        raise EngineError(f"{key} cannot be hidden without being masked.")
    if variable.masked:
        pattern = MASKABLE_RAW if variable.raw else MASKABLE
        if not pattern.match(variable.value):
            allowed = "" if variable.raw else ", and have only letters, digits and _@:.~+/=- (or be --raw)"
            raise EngineError(
                f"The value of {key} cannot be masked: it must be one line of at least 8 characters, without "
                f"spaces{allowed}. Keep it without --masked, or encode it (base64)."
            )
    return variable
