"""Submodules of the checked-out commit, as the GIT_SUBMODULE_* variables want them."""

from __future__ import annotations

from shipline.runner.errors import JobFailed
from shipline.runner.script.text import GREEN, RESET, Program, quote
from shipline.runner.settings import flags as given_flags
from shipline.runner.variables import Variables

LARGE_FILES = (
    "if git grep -q filter=lfs -- .gitattributes '*/.gitattributes' && git lfs version > /dev/null 2>&1; "
    "then git lfs pull; fi"
)


def submodules(program: Program, variables: Variables, clean_flags: str, depth: int, *, lfs: bool) -> None:
    """Adds the commands to `program`, which stands in the project's folder."""
    strategy = variables.get("GIT_SUBMODULE_STRATEGY")
    if strategy not in ("normal", "recursive"):
        raise JobFailed(
            f"unknown GIT_SUBMODULE_STRATEGY {strategy!r}: use none, normal or recursive",
            "runner_configuration_error",
        )
    recursive = " --recursive" if strategy == "recursive" else ""
    flags = (f" --depth {depth}" if depth > 0 else "") + _extra(
        given_flags(variables, "GIT_SUBMODULE_UPDATE_FLAGS")
    )
    paths = _paths(variables.get("GIT_SUBMODULE_PATHS"))
    how = (" recursively" if recursive else "") + (f" with git depth set to {depth}" if depth > 0 else "")
    program.say(f"{GREEN}Updating/initializing submodules{how}...{RESET}")
    program.add(
        f"git submodule init{paths}",
        f"git submodule sync{recursive}{paths}",
        f"git submodule update --init{recursive}{flags}{paths} || "
        f"{{ git submodule sync{recursive}{paths}; git submodule update --init{recursive}{flags}{paths}; }}",
        f"git submodule foreach{recursive} 'git reset --hard -q' > /dev/null",
    )
    if clean_flags:
        program.add(f"git submodule foreach{recursive} {quote('git clean -q ' + clean_flags)} > /dev/null")
    if lfs:
        program.add(f"git submodule foreach{recursive} {quote(LARGE_FILES)} > /dev/null")


def _extra(flags: str) -> str:
    return f" {flags}" if flags else ""


def _paths(paths: str) -> str:
    return " -- " + " ".join(quote(path) for path in paths.split()) if paths.split() else ""
