"""What a runner asks of the side that hands out jobs: GitLab's runner API as an interface.

Life cycle: a runner calls `request_job` over and over; for each job it was given it calls `append_trace`
(in order, from offset 0) and `update_job`, the last time with a final state. All methods may be called from
many tasks at once. Implementations: the engine's own (a call), and the runner API over HTTP.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

import msgspec

from shipline.protocol.payload import Dependency, JobPayload

JobState = Literal["running", "success", "failed"]
FailureReason = Literal[
    "script_failure",
    "runner_system_failure",
    "job_execution_timeout",
    "image_pull_failure",
    "runner_configuration_error",
    "runner_external_dependency_failure",
    "runner_interrupted",
    "job_canceled",
    "unknown_failure",
]


class Output(msgspec.Struct):
    """The whole log that was sent: `checksum` is `crc32:` and eight hexadecimal digits."""

    checksum: str
    bytesize: int


class JobUpdate(msgspec.Struct):
    """What `PUT /jobs/:id` carries. `exit_code` is the script's, where there is one. `output` is said with a final
    state."""

    state: JobState
    failure_reason: FailureReason | None = None
    exit_code: int | None = None
    output: Output | None = None


class Answer(msgspec.Struct):
    """The coordinator's word on a job, in answer to a trace or an update.

    `canceling`: stop the script, run after_script, report failed. `canceled`: abort everything at once.
    `pause`: seconds that are to pass before more of the log comes.
    """

    job_status: Literal["running", "canceling", "canceled", "failed", "success"] = "running"
    trace_offset: int = 0
    pause: float = 0.0


class Upload(msgspec.Struct):
    """What is said of a file that a job leaves. `filename` is the archive's or report's own name; `expire_in` as
    the job's configuration has it."""

    filename: str
    artifact_type: str = "archive"
    artifact_format: str = "zip"
    expire_in: str | None = None


class FileRefused(Exception):
    """A file is not taken or not given. `status` is what HTTP says (`413 Request Entity Too Large`), the text why.
    `again`: another attempt may help, in `after` seconds at the earliest."""

    def __init__(self, status: str, why: str = "", *, again: bool = False, after: float = 0.0) -> None:
        super().__init__(why or status)
        self.status = status
        self.again = again
        self.after = after


class Coordinator(Protocol):
    async def request_job(self, tags: frozenset[str], run_untagged: bool) -> JobPayload | None:
        """The next job for a runner with these tags; waits a while for one, then None. None at once when closed."""

    async def append_trace(self, job: JobPayload, offset: int, data: bytes) -> Answer:
        """Adds `data` at byte `offset` of the job's log. `trace_offset` in the answer is the bytes now stored;
        where it differs from `offset + len(data)`, go on from there."""

    async def update_job(self, job: JobPayload, update: JobUpdate) -> Answer:
        """Reports a state. A final state is stored before this returns."""

    async def wait_canceled(self, job: JobPayload) -> Literal["canceling", "canceled"]:
        """Returns when somebody cancels the job (and not before): cancel by push."""

    async def upload_artifacts(self, job: JobPayload, upload: Upload, file: Path) -> str:
        """Keeps one of a job's files: a copy of `file`. Gives HTTP's words for it (`201 Created`). Raises
        FileRefused; OSError when the coordinator can't be reached."""

    async def download_artifacts(self, job: JobPayload, dependency: Dependency, to: Path, attempt: int = 0) -> str:
        """Writes the archive of an earlier job to the file `to`. Gives HTTP's words for it (`200 OK`). `attempt`
        counts from 0. Raises FileRefused; OSError when the coordinator can't be reached."""
