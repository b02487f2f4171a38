"""The files that jobs leave on this machine: `<home>/jobs/<id>/artifacts/<type>`, with a record for each job.

What has expired is removed when somebody asks for it (`expire`), but never of the newest pipeline of a ref that
succeeded, nor of a newer one: that is what people come back for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from shipline.engine import archives
from shipline.engine.dependencies import Archive
from shipline.engine.live import Live
from shipline.engine.pipelines import Pipelines
from shipline.engine.possessions import ArtifactFile, JobArtifacts
from shipline.engine.records import JobRecord, PipelineRecord, PipelineVariable, Report
from shipline.engine.report_types import FILE_NAMES
from shipline.engine.store import Store
from shipline.language.durations import seconds
from shipline.protocol.coordinator import FileRefused, Upload

DEFAULT_EXPIRY = 30 * 86400.0
"""Seconds that files are kept of which nobody says how long: GitLab's own."""
NEVER = ("never", "0")
ARCHIVE = "archive"
Reported = tuple[list[PipelineVariable] | None, Report | None]
"""What a file says: the variables of a dotenv file, or what another report comes to."""
MANY = 1_000_000


class LocalShelf:
    """Implements `shipline.engine.dependencies.Shelf` for the jobs of a store whose files are in `home`."""

    def __init__(self, store: Store, home: Path, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._home = home
        self._clock = clock

    def folder(self, job_id: int) -> Path:
        """Where a job's files are."""
        return self._home / "jobs" / str(job_id) / "artifacts"

    def of(self, job_id: int) -> JobArtifacts | None:
        """What the job left; None for nothing."""
        job = self._store.job(job_id)
        pipeline = self._store.pipeline(job.pipeline_id) if job else None
        return self._store.possession(pipeline.project_id, JobArtifacts, str(job_id)) if pipeline else None

    def all(self, project_id: int) -> list[JobArtifacts]:
        """What the project's jobs left, newest first."""
        found = self._store.possessions(project_id, JobArtifacts)
        return sorted(found, key=lambda each: int(each.number), reverse=True)

    def archives(self, job_ids: Collection[int]) -> dict[int, Archive]:
        found = {}
        for job_id in job_ids:
            left = self.of(job_id)
            for file in left.files if left else ():
                if file.file_type == ARCHIVE:
                    found[job_id] = Archive(file.filename, file.size)
        return found

    def archive_path(self, job_id: int) -> Path:
        """The archive's file."""
        return self.folder(job_id) / ARCHIVE

    def receive(self, job_id: int, upload: Upload, source: Path) -> Reported:
        """Puts a file in its place; gives what it reports. May take a while: for a thread. Raises FileRefused,
        OSError."""
        reported = read_report(upload.artifact_type, source, upload.artifact_format)
        target = self.folder(job_id) / upload.artifact_type
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _place(source, target)
        return reported

    def keep(self, pipelines: Pipelines, live: Live, job: JobRecord, upload: Upload, reported: Reported) -> None:
        """Writes down a file of a running job that has its place, and what it reports. Raises FileRefused."""
        kind, file_format = upload.artifact_type, upload.artifact_format
        dotenv, report = reported
        target = self.folder(job.id) / kind
        definition = live.definitions[job.name].artifacts
        with self._store.transaction():
            left = self.of(job.id) or JobArtifacts(str(job.id), live.record.id, job.name, self._clock())
            others = [file for file in left.files if file.file_type != kind]
            file = ArtifactFile(kind, file_format, upload.filename, target.stat().st_size)
            left = msgspec.structs.replace(
                left,
                files=[*others, file],
                expire_at=expiry(upload.expire_in, self._clock()),
                expose_as=definition.get("expose_as"),
                access=definition.get("access"),
            )
            self._store.possess(live.record.project_id, left)
            if dotenv is not None or report is not None:
                pipelines.reported(job, dotenv, report)

    def expire(self, pipelines: Pipelines, project_id: int) -> list[JobArtifacts]:
        """Removes what is past its time; gives what it was."""
        now = self._clock()
        everything = self.all(project_id)
        past = [each for each in everything if each.files and each.expire_at is not None and each.expire_at <= now]
        if not past:
            return []
        kept = keeping(self._store.pipelines(project_id, limit=MANY))
        gone = [each for each in past if each.pipeline_id not in kept]
        if gone:
            import shutil
        for each in gone:
            shutil.rmtree(self.folder(int(each.number)), ignore_errors=True)
            self._store.possess(project_id, msgspec.structs.replace(each, files=[], expired=True))
            pipelines.files_gone(int(each.number))
        return gone


def read_report(kind: str, path: Path, file_format: str) -> Reported:
    """The variables of a dotenv file, or what another report comes to. FileRefused where GitLab refuses it."""
    if kind not in FILE_NAMES:
        return None, None
    from shipline.engine.dotenv import DotenvError
    from shipline.engine.dotenv import parse as parse_dotenv
    from shipline.engine.reports import UnreadableReport, contents, summarise

    if kind == "dotenv":
        try:
            return parse_dotenv(contents(path, file_format), path.stat().st_size), None
        except (DotenvError, UnreadableReport) as error:
            raise FileRefused("400 Bad Request", str(error)) from None
    return None, summarise(kind, path, file_format)


def expiry(expire_in: str | None, now: float, default: float | None = DEFAULT_EXPIRY) -> float | None:
    """When a file of now is to be removed; None for never. Raises FileRefused for what is no duration."""
    if not expire_in:
        return None if default is None else now + default
    if expire_in in NEVER:
        return None
    after = seconds(expire_in)
    if after is None:
        raise FileRefused("400 Bad Request", f"expire_in {expire_in!r} is no duration")
    return now + after


def keeping(pipelines: list[PipelineRecord]) -> set[int]:
    """Of pipelines, newest first, those whose files are kept: of each ref the newest that succeeded, and those
    since."""
    done: set[tuple[str, bool]] = set()
    kept = set()
    for record in pipelines:
        ref = (record.commit.ref, record.commit.is_tag)
        if ref not in done:
            kept.add(record.id)
        if record.status == "success":
            done.add(ref)
    return kept


def _place(source: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    archives.copy(source, part)
    part.chmod(0o600)
    part.replace(target)
