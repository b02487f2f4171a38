"""What a job publishes once it has succeeded: a release (`release:`) and a site (`pages:`).

What is to be published is written down when the job starts, with its variables replaced, and done when a runner
says that the job has succeeded; where it cannot be done, the job has failed. GitLab has a tool in the job's image
make the release; here no image needs one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from shipline.engine import archives, releases, sites
from shipline.engine.errors import EngineError
from shipline.engine.live import Live
from shipline.engine.possessions import Promise
from shipline.engine.records import JobRecord
from shipline.engine.store import Store
from shipline.language.expansion import expand
from shipline.protocol.payload import JobPayload

if TYPE_CHECKING:
    from shipline.engine.live_pipelines import LivePipelines


class Publisher(Protocol):
    """Where releases' tags and sites' files are: the only thing that a server does otherwise than this machine."""

    def tag(self, live: Live, release: dict[str, Any]) -> str:
        """The commit that a release's tag names; the tag is made where it is missing, if this is a place for tags.
        Raises EngineError."""

    def archive(self, job_id: int) -> Path | None:
        """The file with the job's artifacts."""

    def read(self, live: Live, path: str) -> str | None:
        """A file of the pipeline's commit."""

    @property
    def sites(self) -> Path:
        """The folder that the files of published sites are kept in."""


def publishes(live: Live, name: str) -> bool:
    """Whether a job has something to publish."""
    extra = live.definitions[name].extra
    return bool(extra.get("release")) or sites.is_site(live.definitions[name])


def promise(store: Store, live: Live, job: JobRecord, payload: JobPayload) -> None:
    """Writes down what a job that starts will publish."""
    if not publishes(live, job.name):
        return
    definition = live.definitions[job.name]
    values = {variable.key: variable.value for variable in payload.variables}
    release = expanded(definition.extra.get("release") or {}, values)
    pages = expanded(sites.asked(definition), values) if sites.is_site(definition) else {}
    store.possess(live.record.project_id, Promise(str(job.id), release, pages))


class Publishing:
    """Keeps what jobs promised. `on_trace` is told of what this adds to their logs."""

    def __init__(self, store: Store, publisher: Publisher) -> None:
        self.store = store
        self.publisher = publisher
        self.on_trace: Callable[[JobRecord, int, bytes], None] | None = None

    def succeeded(self, pipelines: LivePipelines, job: JobRecord) -> bool:
        """Publishes what a job promised that has just succeeded, and says so in its log; False where that could not
        be done."""
        if not publishes(pipelines.known(job.pipeline_id), job.name):
            return True
        live, now = pipelines.live(job.pipeline_id), pipelines.clock()
        current = live.jobs[job.name]
        if current.id != job.id or current.status != "running":
            return True  # it is over already, or is being cancelled
        promised = self.store.possession(live.record.project_id, Promise, str(job.id))
        if promised is None:
            return True
        from zipfile import BadZipFile

        self.forget(live, job)
        try:
            with self.store.transaction():
                for line in self._publish(live, job, promised, now):
                    self._say(job, f"\x1b[32;1m{line}\x1b[0;m\n")
        except (EngineError, OSError, BadZipFile) as error:
            self._say(job, f"\x1b[31;1mERROR: Job failed: {error}\x1b[0;m\n")
            return False
        return True

    def forget(self, live: Live, job: JobRecord) -> None:
        """Nothing more will be published for the job."""
        self.store.dispossess(live.record.project_id, Promise, str(job.id))

    def _publish(self, live: Live, job: JobRecord, promised: Promise, now: float) -> Iterator[str]:
        to = self.publisher
        if promised.pages:
            yield sites.publish(self.store, to.archive(job.id), to.sites, live, job, promised.pages, now)
        if promised.release:
            written = dict(promised.release)
            written["description"] = description(to, live, job, str(written.get("description") or ""))
            releases.check_free(self.store, live.record.project_id, str(written.get("tag_name") or ""))
            made = releases.described(written, to.tag(live, written), now, job.id)
            releases.add(self.store, live.record.project_id, made)
            yield f"Release {made.tag} is made, of commit {made.sha[:8]}."

    def _say(self, job: JobRecord, text: str) -> None:
        at = len(self.store.read_trace(job.id))
        self.store.write_trace(job.id, at, text.encode())
        if self.on_trace is not None:
            self.on_trace(job, at, text.encode())


def description(publisher: Publisher, live: Live, job: JobRecord, written: str) -> str:
    """A release's description; one that is the path of a file is that file's text. The file may be among what the
    job has left, or the jobs before it, or in the commit."""
    if not releases.may_be_path(written):
        return written
    earlier = sorted((each for each in live.jobs.values() if each.id != job.id), key=lambda each: -each.id)
    for each in (job, *earlier):
        if (archive := publisher.archive(each.id)) and (text := archives.text(archive, written)) is not None:
            return text
    found = publisher.read(live, written.removeprefix("./"))
    return written if found is None else found


def expanded(written: Any, values: dict[str, str]) -> Any:
    """The same with variables replaced in all texts."""
    if isinstance(written, str):
        return expand(written, values)
    if isinstance(written, dict):
        return {key: expanded(value, values) for key, value in written.items()}
    if isinstance(written, list):
        return [expanded(value, values) for value in written]
    return written
