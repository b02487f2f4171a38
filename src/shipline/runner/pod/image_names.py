"""An image's name with its variables replaced, refused by the variable's name where nothing sensible is left."""

from __future__ import annotations

import re

from shipline.runner.errors import JobFailed
from shipline.runner.expansion import expand
from shipline.runner.variables import Variables

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::\d+)?/"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"(?:{_HOST})?{_PART}(?:/{_PART})*(?::\w[\w.-]*)?(?:@[A-Za-z][\w+.-]*:[0-9A-Fa-f]+)?", re.ASCII)


def image_name(written: str, variables: Variables) -> str:
    """The name that a job's or a service's image comes to. JobFailed when it comes to none because a variable in it
    has no value."""
    name = variables.expand(written)
    if "$" in written and not _NAME.fullmatch(name):
        missing: list[str] = []

        def noted(variable: str) -> str:
            value = variables.get(variable)
            if not value:
                missing.append(variable)
            return value

        expand(written, noted)
        if missing:
            names = " and ".join(dict.fromkeys(missing))
            raise JobFailed(
                f"the image {written} comes to {name!r}, which is no image's name: {names} "
                f"{'has' if len(set(missing)) == 1 else 'have'} no value here",
                "runner_configuration_error",
            )
    return name
