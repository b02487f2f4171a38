"""What a job's variables set for the runner and what cannot be read of it: told at the start, then left aside."""

from __future__ import annotations

from collections.abc import Iterator

from shipline.protocol.payload import Variable
from shipline.runner.variables import NO, YES, Variables

STRATEGIES = ("clone", "fetch", "none", "empty")
MODULE_STRATEGIES = ("normal", "recursive", "none")
SWITCHES = {
    "CI_DEBUG_SERVICES": False,
    "CI_DEBUG_TRACE": False,
    "GIT_CHECKOUT": True,
    "GIT_LFS_SKIP_SMUDGE": False,
    "GIT_SUBMODULE_FORCE_HTTPS": False,
    "AFTER_SCRIPT_IGNORE_ERRORS": True,
}
"""Settings that are true or false, and what they are otherwise."""
ATTEMPTS = ("GET_SOURCES_ATTEMPTS", "ARTIFACT_DOWNLOAD_ATTEMPTS", "SECRETS_RETRIEVAL_ATTEMPTS")
MOST_ATTEMPTS = 10
TIMEOUTS = ("RUNNER_SCRIPT_TIMEOUT", "RUNNER_AFTER_SCRIPT_TIMEOUT")


def unreadable(variables: Variables, usual_strategy: str, job_time: float) -> Iterator[str]:
    """A line for each setting that is not what it has to be. `usual_strategy`: of GIT_STRATEGY; `job_time`: the
    seconds that the whole job has."""
    yield from _times(variables, job_time)
    for name, usual in SWITCHES.items():
        if (given := variables.get(name)) and given.strip().lower() not in YES | NO:
            yield f'{name}: expected bool got "{given}", using default value: {str(usual).lower()}'
    if (given := variables.get("GIT_STRATEGY")) and given not in STRATEGIES:
        expected = "'clone', 'fetch', 'none' or 'empty'"
        yield f"GIT_STRATEGY: expected either {expected} got \"{given}\", using default value '{usual_strategy}'"
    if (given := variables.get("GIT_SUBMODULE_STRATEGY")) and given not in MODULE_STRATEGIES:
        yield f"GIT_SUBMODULE_STRATEGY: expected either 'normal', 'recursive' or 'none' got \"{given}\""
    for name in ATTEMPTS:
        given = variables.get(name)
        if given and variables.number(name, 0) != variables.number(name, 1):
            yield f'{name}: expected int got "{given}", using default value: 1'
        elif given and attempts(variables, name) != variables.number(name, 1):
            yield (
                f"{name}: number of attempts out of the range [1, {MOST_ATTEMPTS}], "
                f"clamping to: {attempts(variables, name)}"
            )


def _times(variables: Variables, job_time: float) -> Iterator[str]:
    for name in TIMEOUTS:
        given = variables.get(name).strip()
        positive = variables.seconds(name, 0) or 0
        if given.startswith("-") and Variables([Variable(name, given[1:])]).seconds(name, None):
            yield f"Ignoring relative {name} timeout: {given}"
        elif given and not positive and given.rstrip("smh") != "0":
            yield f"Ignoring malformed {name} timeout: {given}"
        elif positive > job_time:
            yield f"{name} timeout: {given} is longer than job timeout. Setting to job timeout"


def attempts(variables: Variables, name: str) -> int:
    """How often something is tried."""
    return min(max(variables.number(name, 1), 1), MOST_ATTEMPTS)


def flags(variables: Variables, name: str, usual: str = "") -> str:
    """Flags for git: what is given, `none` being no flags at all."""
    given = variables.get(name) or usual
    return "" if given == "none" else given
