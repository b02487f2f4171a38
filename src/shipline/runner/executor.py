"""Where a job's stages run: the interface that `kubernetes` and `shell` give.

Life cycle: `prepare` once; then `get_sources` and `run`, one at a time, in stage order; `close` once, always, also
when `prepare` failed or was cancelled. `interrupt` may be called while `run` waits: the stage's processes are asked
to end (and made to, a little later), and `run` then returns their exit status. All output goes to the trace that
the executor was made with. Each method raises JobFailed when the job cannot go on.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from shipline.runner.files.members import ProjectFiles


class Stage(msgspec.Struct):
    """One shell script: `name` as GitLab names the stage, `title` as its log shows it, `text` a whole program."""

    name: str
    title: str
    text: str


class Places(msgspec.Struct):
    """Where things are, as the job's processes see it: absolute paths."""

    builds: str
    project: str

    @property
    def temporary(self) -> str:
        """Holds file variables and GITLAB_ENV; beside the project, so that no clean or clone removes it."""
        return self.project + ".tmp"


class Executor(Protocol):
    def exited(self, status: int) -> str:
        """How this executor's logs say that a script ended with `status`."""

    async def prepare(self) -> None:
        """Makes the place that the job runs in; returns when stages can run."""

    async def get_sources(self) -> None:
        """Puts the commit into the job's project folder, as the job's GIT_* variables want it."""

    def files(self, folder: str = "") -> ProjectFiles:
        """The project folder's files, once the sources are there, or another folder's beside it; not used while a
        stage runs."""

    async def run(self, stage: Stage, *, beside: bool = False) -> int:
        """Runs one stage and returns its exit status. `beside`: where the sources are fetched and git is."""

    async def interrupt(self) -> None:
        """Ends the stage that runs now."""

    async def keep(self) -> None:
        """Instead of `close`: leaves what `prepare` made as the job left it, and tells where it is."""

    async def close(self) -> None:
        """Removes everything that `prepare` made; waits until it is on its way out."""
