"""`shipline watch`: runs the pipelines of a repository that is hosted elsewhere, commit by commit."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shipline.cli.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from shipline.engine.remote import Remote

SEEN = "refs/seen"
"""Where a copy remembers which commits have had their pipeline."""


LOOKED = "looked"
"""A file of a copy: there has been a first look, whatever it found."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("repository")
@click.argument("run_options", nargs=-1, type=click.UNPROCESSED)
@click.option("--ref", "patterns", multiple=True, metavar="GLOB", help="Only branches and tags of such names.")
@click.option(
    "--every", default=30, show_default=True, type=click.IntRange(min=1), help="Seconds between two looks."
)
@click.option("--once", is_flag=True, help="Look once, run what is new, and end.")
@click.option("--now", is_flag=True, help="At first, run the default branch as it is.")
def watch(
    repository: str, run_options: tuple[str, ...], patterns: tuple[str, ...], every: int, once: bool, now: bool
) -> int:
    """Run a pipeline for each new commit of REPOSITORY, an address that git understands.

    Options after -- go to `shipline run`. What came while nobody watched is run when watching begins again, the
    newest commit of each branch. Ends with Ctrl-C; with --once, exits as the worst of its pipelines.
    """
    from shipline.engine.git import GitError
    from shipline.engine.remote import Remote

    remote = Remote(repository)
    copy = _copy(remote)
    worst = 0
    while True:
        try:
            remote.fetch(copy)
            new = _new(copy, remote, patterns, now)
            now = False
        except GitError as error:
            if once:
                raise
            click.echo(f"{remote.address} cannot be read: {error.stderr or error}. Trying again.", err=True)
            new = []
        for ref in new:
            code = _run(copy, ref, run_options)
            if code == INTERRUPTED:
                return code
            worst = max(worst, code)
        if once:
            return worst
        try:
            time.sleep(every)
        except KeyboardInterrupt:
            return INTERRUPTED


def _copy(remote: Remote) -> Path:
    """The bare copy of the repository, made when it is missing."""
    from shipline.cli.state import home
    from shipline.engine.git import git

    name = remote.address.rstrip("/").rpartition("/")[2].removesuffix(".git") or "repository"
    path = home() / "watched" / hashlib.sha256(remote.address.encode()).hexdigest()[:12] / f"{name}.git"
    if not (path / "HEAD").exists():
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        git(path, "init", "--quiet", "--bare")
        git(path, "config", "remote.origin.url", remote.address)
    return path


def _new(copy: Path, remote: Remote, patterns: tuple[str, ...], now: bool) -> list[str]:
    """The branches and tags that have not had their pipeline yet, by name; they count as seen from here on. At the
    first look everything is seen; where nothing is there then, the first that comes is new."""
    from shipline.engine.git import git
    from shipline.engine.remote import refs

    here, seen = refs(copy), refs(copy, SEEN)
    first = not seen and not (copy / LOOKED).exists()
    if here and not seen and (head := remote.head(copy)):
        git(copy, "symbolic-ref", "HEAD", f"refs/heads/{head}")
    new = [ref for ref, sha in here.items() if seen.get(_seen(ref)) != sha]
    for ref in new:
        git(copy, "update-ref", _seen(ref), here[ref])
    for ref in seen.keys() - {_seen(ref) for ref in here}:
        git(copy, "update-ref", "-d", ref)
    if first:
        (copy / LOOKED).touch()
        head_ref = git(copy, "symbolic-ref", "HEAD")
        new = [head_ref] if now and head_ref in here else []
        click.echo(f"Watching {remote.address}: {len(here)} branches and tags.", err=True)
    return [name for ref in new if _wanted(name := ref.split("/", 2)[2], patterns)]


def _seen(ref: str) -> str:
    return f"{SEEN}/{ref.removeprefix('refs/')}"


def _wanted(name: str, patterns: tuple[str, ...]) -> bool:
    from fnmatch import fnmatchcase

    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _run(copy: Path, ref: str, options: tuple[str, ...]) -> int:
    """`shipline run` in the copy, as a process of its own; gives its exit code, 130 after Ctrl-C."""
    command = [sys.executable, "-c", "from shipline.cli import main; raise SystemExit(main())"]
    running = subprocess.Popen([*command, "run", "--ref", ref, *options], cwd=copy)
    interrupted = False
    while True:
        try:
            code = running.wait()
            return INTERRUPTED if interrupted else code
        except KeyboardInterrupt:
            interrupted = True
            if not sys.stdin.isatty():  # a terminal has told both
                running.send_signal(signal.SIGINT)
