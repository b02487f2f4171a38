"""Artifacts: what earlier jobs left is put into the project folder before the script; what the job leaves is kept
after it. The lines in the log are gitlab-runner's.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from shipline.protocol.coordinator import Coordinator, FileRefused, Upload
from shipline.protocol.payload import Artifacts, Dependency
from shipline.runner.errors import JobFailed
from shipline.runner.executor import Executor
from shipline.runner.files.archive import pack
from shipline.runner.files.extraction import unpack
from shipline.runner.files.members import FilesError
from shipline.runner.files.selection import select
from shipline.runner.job import Job
from shipline.runner.settings import attempts
from shipline.runner.trace.trace import RESET, Trace

DEFAULT_NAME = "artifacts"
SUFFIXES = {"zip": ".zip", "zipzstd": ".zip", "tarzstd": ".tar.zst", "gzip": ".gz"}
TRIES = 3
UNAVAILABLE_TRIES = 6
UNAVAILABLE = ("503", "429")
LONGEST_PAUSE = 10.0  # seconds between two tries
MESSAGE = 44
"""Columns that gitlab-runner gives to a message before its fields."""


class ArtifactStages:
    """The stages of one job that deal with artifacts. `folder` is where archives are on their way."""

    def __init__(self, job: Job, coordinator: Coordinator, trace: Trace, folder: Path) -> None:
        self._job = job
        self._coordinator = coordinator
        self._trace = trace
        self._folder = folder

    def dependencies(self) -> list[Dependency]:
        """The earlier jobs that have something to download."""
        return [d for d in self._job.payload.dependencies if d.artifacts_file and d.artifacts_file.filename]

    def uploads(self, *, succeeded: bool) -> list[Artifacts]:
        """What is to be kept of a job that succeeded, or that did not."""
        fitting = ("always", "on_success" if succeeded else "on_failure")
        return [each for each in self._job.payload.artifacts or [] if (each.when or "on_success") in fitting]

    async def download(self, executor: Executor) -> None:
        """The stage `download_artifacts`, if there is something to do. Raises JobFailed."""
        dependencies = self.dependencies()
        if not dependencies:
            return
        self._trace.open_section("download_artifacts", "Downloading artifacts")
        tries = attempts(self._job.variables, "ARTIFACT_DOWNLOAD_ATTEMPTS")
        for dependency in dependencies:
            self._trace.info(f"Downloading artifacts for {dependency.name} ({dependency.id})...")
            with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                archive = Path(folder) / "artifacts.zip"
                try:
                    await self._fetch(dependency, archive, tries * TRIES)
                    await unpack(executor.files(), archive)
                except FilesError as error:
                    self._trace.error(str(error))
                    raise _failed(executor) from None
                except _GivenUp:
                    raise _failed(executor) from None

    async def _fetch(self, dependency: Dependency, to: Path, tries: int) -> None:
        what = "Downloading artifacts from coordinator..."
        for attempt in range(tries):
            pause = min(0.5 * 2**attempt, LONGEST_PAUSE)
            try:
                status = await self._coordinator.download_artifacts(self._job.payload, dependency, to, attempt)
            except FileRefused as refused:
                words = {"404": "not found", "403": "forbidden", "401": "unauthorized"}
                word = words.get(refused.status[:3], "failed")
                self._say_error(f"{what} {word}", refused, dependency.id, dependency.token)
                again, pause = refused.again, max(pause, refused.after)
            except OSError as error:
                self._trace.error(f"{what} error: {error}")
                again = True
            else:
                self._say(f"{what} ok", status, dependency.id, dependency.token)
                return
            if not again or attempt + 1 == tries:
                break
            await asyncio.sleep(pause)
        raise _GivenUp

    async def upload(self, executor: Executor, *, succeeded: bool) -> None:
        """The stage `upload_artifacts_on_success` or `..._on_failure`, if there is something to do. JobFailed when
        what is there can't be kept; that nothing is there fails no job."""
        uploads = self.uploads(succeeded=succeeded)
        if not uploads:
            return
        ending, word = ("success", "successful") if succeeded else ("failure", "failed")
        self._trace.open_section(f"upload_artifacts_on_{ending}", f"Uploading artifacts for {word} job")
        for each in uploads:
            self._trace.info("Uploading artifacts...")
            try:
                await self._keep(executor, each)
            except FilesError as error:
                self._trace.error(str(error))
                raise _failed(executor) from None
            except _GivenUp:
                raise _failed(executor) from None

    async def _keep(self, executor: Executor, artifacts: Artifacts) -> None:
        variables, files = self._job.variables, executor.files()
        selection = await select(
            files,
            self._job.places.project,
            [variables.expand(path) for path in artifacts.paths or []],
            [variables.expand(path) for path in artifacts.exclude or []],
            untracked=bool(artifacts.untracked),
        )
        for note in selection.notes:
            if note.level == "warning":
                self._trace.warning(note.text)
            else:
                self._trace.line(f"{note.text}{RESET}")
        if not selection.entries:
            self._trace.error("No files to upload")
            return
        archive_format = artifacts.artifact_format or "zip"
        upload = Upload(
            self._filename(artifacts, archive_format),
            artifacts.artifact_type or "archive",
            archive_format,
            artifacts.expire_in,
        )
        level = variables.get("ARTIFACT_COMPRESSION_LEVEL", "default")
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            archive = Path(folder) / "archive"
            await pack(files, selection.entries, archive, archive_format, level)
            await self._send(upload, archive)

    def _filename(self, artifacts: Artifacts, archive_format: str) -> str:
        name = self._job.variables.expand(artifacts.name or DEFAULT_NAME).rstrip("/").rpartition("/")[2]
        return ("default" if name in ("", ".") else name) + SUFFIXES.get(archive_format, "")

    async def _send(self, upload: Upload, archive: Path) -> None:
        job = self._job.payload
        what = f'Uploading artifacts as "{upload.artifact_type}" to coordinator...'
        attempt, tries = 0, TRIES
        while attempt < tries:
            attempt += 1
            pause = min(0.5 * 2**attempt, LONGEST_PAUSE)
            try:
                status = await self._coordinator.upload_artifacts(job, upload, archive)
            except FileRefused as refused:
                self._say_error(f"{what} {refused.status}", refused, job.id, job.token)
                if not refused.again:
                    break
                tries = UNAVAILABLE_TRIES if refused.status.startswith(UNAVAILABLE) else TRIES
                pause = max(pause, refused.after)
            except OSError as error:
                self._trace.error(f"{what} error: {error}")
            else:
                self._say(f"{what} {status}", status, job.id, job.token)
                return
            if attempt < tries:
                await asyncio.sleep(pause)
        raise _GivenUp

    def _say(self, message: str, status: str, number: int, token: str) -> None:
        self._trace.line(f"{message:<{MESSAGE}}{RESET} {_fields(status, number, token)}")

    def _say_error(self, message: str, refused: FileRefused, number: int, token: str) -> None:
        why = "" if str(refused) == refused.status else f": {refused}"
        self._trace.error(f"{message + why:<{MESSAGE}}{RESET} {_fields(refused.status, number, token)}")


class _GivenUp(Exception):
    """What happened is in the log."""


def _fields(status: str, number: int, token: str) -> str:
    fields = {"id": str(number), "responseStatus": status, "token": token[:8]}
    return "".join(f" {key}{RESET}={value}" for key, value in fields.items())


def _failed(executor: Executor) -> JobFailed:
    """As gitlab-runner's helper ends when files could not be had or kept."""
    return JobFailed(executor.exited(1), "script_failure", exit_code=1)
