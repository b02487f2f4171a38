"""One job from start to final report: the order of its stages, and the four ways in which it may be cut short.

    prepare -> get_sources -> restore_cache -> download_artifacts -> step_* -> after_script -> archive_cache
            -> upload_artifacts -> final status -> everything that was made is removed

- The job's time is over: all processes end, after_script does not run.
- `canceling`: the script ends, after_script runs, the job has failed.
- `canceled`: everything ends at once.
- The runner itself is stopped by force (this task is cancelled): as `canceled`, and the coordinator hears that it
  was the runner's doing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import shipline
from shipline.protocol.coordinator import Coordinator, FailureReason, JobUpdate
from shipline.protocol.payload import JobPayload, Step
from shipline.runner.errors import JobFailed, RunnerError
from shipline.runner.executor import Executor, Stage
from shipline.runner.executors import Executors
from shipline.runner.job_inputs import interpolated
from shipline.runner.secrets import resolve
from shipline.runner.settings import attempts, unreadable
from shipline.runner.trace.trace import Trace

if TYPE_CHECKING:
    from shipline.runner.artifacts import ArtifactStages
    from shipline.runner.cache.caches import Caches

ALWAYS_KNOWN = ("script_failure", "runner_system_failure", "job_execution_timeout")
NEAREST: dict[FailureReason, FailureReason] = {
    "image_pull_failure": "runner_system_failure",
    "runner_external_dependency_failure": "runner_system_failure",
    "runner_configuration_error": "script_failure",
}
OUTPUT_LIMIT = 4096  # KiB of log, where the configuration says nothing: gitlab-runner's
PAUSE = 5.0  # seconds before the second attempt at something, twice as many before the third
LAST_CLEANUP = 2.5  # seconds for removing what was made, when the runner is stopped by force
AFTER_SCRIPT_TIME = 300.0  # seconds, unless RUNNER_AFTER_SCRIPT_TIMEOUT says otherwise


class JobRun:
    """Runs one payload. `run` never raises for what goes wrong in the job: that goes to its log and status."""

    def __init__(self, executors: Executors, coordinator: Coordinator, payload: JobPayload) -> None:
        self.coordinator = coordinator
        self._unready: JobFailed | None = None
        try:
            payload = interpolated(payload)
        except JobFailed as failure:
            self._unready = failure
        self.payload = payload
        self.executors = executors
        self.job = executors.job(payload)
        self.executor: Executor | None = None
        self.at = "begin"
        self.canceling = False
        self._told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order = ""
        config = executors.config
        self.trace = Trace(
            coordinator,
            payload,
            secrets=self.job.secrets(),
            limit=(config.output_limit or OUTPUT_LIMIT) << 10,
            timestamps=config.timestamps,
            heard=self._hear,
        )

    def _hear(self, status: str) -> None:
        """What the coordinator says of the job, in whichever answer."""
        if status in ("canceling", "canceled", "failed") and self._order not in ("canceled", status):
            self._order = "canceling" if status == "canceling" else "canceled"
            if not self._told.done():
                self._told.set_result(None)

    async def run(self) -> None:
        """The whole job. Cancelling the task aborts it; that too is reported before CancelledError goes on."""
        listening = asyncio.create_task(self._listen())
        try:
            await self._run()
        finally:
            listening.cancel()
            self.executors.release(self.job)

    async def _run(self) -> None:
        interrupted = False
        try:
            self._hear((await self.coordinator.update_job(self.payload, JobUpdate("running"))).job_status)
            failure = await self._outcome()
        except asyncio.CancelledError:
            interrupted = True
            failure = JobFailed("the runner was stopped", "runner_interrupted")
        finishing = asyncio.create_task(self._finish(failure))  # once begun, it is done once and to its end
        while not finishing.done():
            try:
                if interrupted:
                    await asyncio.wait([finishing], timeout=LAST_CLEANUP)
                    finishing.cancel()
                await asyncio.shield(finishing)
            except asyncio.CancelledError:
                interrupted = True
        if not finishing.cancelled():
            finishing.result()
        if interrupted:
            raise asyncio.CancelledError

    async def _listen(self) -> None:
        self._hear(await self.coordinator.wait_canceled(self.payload))

    async def _outcome(self) -> JobFailed | None:
        """None when the job succeeded."""
        try:
            await self._supervise()
        except JobFailed as failure:
            return failure
        except RunnerError as error:
            return JobFailed(str(error))
        except Exception as error:  # whatever it is, the job must not stay "running" for ever
            return JobFailed(f"{type(error).__name__}: {error}")
        return None

    @property
    def _job_time(self) -> int:
        return self.payload.runner_info.timeout if self.payload.runner_info.timeout > 0 else 7200

    async def _supervise(self) -> None:
        """Runs the stages until they are done, the time is over or somebody cancels."""
        loop = asyncio.get_running_loop()
        limit = self._job_time
        deadline = loop.time() + limit
        work = asyncio.create_task(self._stages())
        try:
            while not work.done():
                await asyncio.wait(
                    {work, self._told}, timeout=deadline - loop.time(), return_when=asyncio.FIRST_COMPLETED
                )
                if work.done():
                    break
                if not self._told.done():
                    raise JobFailed(
                        f"execution took longer than {_duration(limit)} seconds", "job_execution_timeout"
                    )
                self._told = loop.create_future()
                if self._order == "canceled" or self.at == "begin" or self.executor is None:
                    raise JobFailed("canceled", "job_canceled")
                self.canceling = True
                self.job.status = "canceled"
                if self.at == "script":
                    await self.executor.interrupt()
            work.result()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait([work])

    async def _stages(self) -> None:
        trace, config = self.trace, self.executors.config
        trace.line(f"Running with shipline {shipline.__version__}")
        trace.line(f"  on {config.name}")
        usual = "fetch" if self.payload.allow_git_fetch else "clone"
        for line in unreadable(self.job.variables, usual, self._job_time):
            trace.warning(line)
        if self._unready:
            raise self._unready
        self.job.check_place()
        if self.payload.secrets:
            await self._tried("SECRETS_RETRIEVAL_ATTEMPTS", "getting the secrets", self._get_secrets)
        name = self.executors.name_for(self.payload)
        trace.open_section("prepare_executor", f'Preparing the "{name}" executor')
        self.executor = await self.executors.make(self.job, trace)
        await self.executor.prepare()
        failure: JobFailed | None = None
        caches: Caches | None = None
        began = False
        try:
            trace.open_section("get_sources", "Getting source from Git repository")
            await self._tried("GET_SOURCES_ATTEMPTS", "getting the sources", self.executor.get_sources)
            caches = await self._restore_cache(self.executor)
            if any(each.artifacts_file for each in self.payload.dependencies):
                await self._files().download(self.executor)
            for step in self.payload.steps:
                if step.name != "after_script" and step.script and not self.canceling:
                    began = True
                    await self._script(self.executor, step)
            if self.payload.run and not self.canceling:
                await self._functions(self.executor, self.payload.run)
        except JobFailed as error:
            failure = error
        if not self.canceling:
            self.job.status = "failed" if failure else "success"
        self.at = "after_script"
        late = await self._after_script(self.executor) if began else None
        failure = failure or late
        if caches and (failure is None or failure.reason != "runner_system_failure"):
            await self._save_cache(caches, success=failure is None and not self.canceling)
        await self._keep_files(self.executor, failure)

    def _files(self) -> ArtifactStages:
        from shipline.runner.artifacts import ArtifactStages

        return ArtifactStages(self.job, self.coordinator, self.trace, self.executors.folder)

    async def _keep_files(self, executor: Executor, failure: JobFailed | None) -> None:
        """Uploads what is wanted of a job that ended so; then the job's failure is raised, if it has one."""
        succeeded = failure is None and not self.canceling
        try:
            there = failure is None or failure.reason != "runner_system_failure"  # else the place may be gone
            if there and self.payload.artifacts:
                await self._files().upload(executor, succeeded=succeeded)
        except JobFailed:
            if succeeded:
                raise
        if there:  # what follows has no words of its own: the job's whole place goes, with files and variables
            self.trace.open_section(
                "cleanup_file_variables", "Cleaning up project directory and file based variables"
            )
        if self.canceling:
            raise JobFailed("canceled", "job_canceled")
        if failure:
            raise failure

    async def _get_secrets(self) -> None:
        found = await resolve(self.payload.secrets or {}, self.job.variables, self.trace)
        self.job.variables = self.job.variables.extended(found)

    async def _tried(self, setting: str, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Does it as often as the setting allows: a server or a network may come back."""
        most = attempts(self.job.variables, setting)
        for attempt in range(1, most + 1):
            try:
                await work()
                return
            except JobFailed as failure:
                if attempt == most or failure.reason != "runner_system_failure":
                    raise
                self.trace.warning(f"{what} failed ({failure}); trying again")
                await asyncio.sleep(min(PAUSE * 2 ** (attempt - 1), 300))

    async def _restore_cache(self, executor: Executor) -> Caches | None:
        """Takes in the job's caches; gives what will save them, if there are any."""
        if not any(cache.paths or cache.untracked for cache in self.payload.cache):
            return None
        self.trace.open_section("restore_cache", "Restoring cache")
        caches = await self.executors.caches(self.job, executor, self.trace)
        if caches:
            await caches.restore()
        return caches

    async def _save_cache(self, caches: Caches, *, success: bool) -> None:
        if not caches.due(success):
            return
        name = "archive_cache" if success else "archive_cache_on_failure"
        self.trace.open_section(name, f"Saving cache for {'successful' if success else 'failed'} job")
        await caches.save(success)

    async def _script(self, executor: Executor, step: Step) -> None:
        limit = self.job.variables.seconds("RUNNER_SCRIPT_TIMEOUT", None)
        stage = self.job.step(step)
        self.trace.open_section(stage.name, stage.title)
        self.at = "script"
        status = await self._within(limit, executor, stage)
        if status is None:
            raise _late(limit)
        if status:
            raise JobFailed(executor.exited(status), "script_failure", exit_code=status)

    async def _functions(self, executor: Executor, steps: str) -> None:
        """The steps of `run:`, which all share the script's time."""
        from shipline.runner.functions.sequence import Functions

        limit = self.job.variables.seconds("RUNNER_SCRIPT_TIMEOUT", None)
        clock = asyncio.get_running_loop().time
        end = clock() + limit if limit else None
        self.trace.open_section("step_script", 'Executing "step_script" stage of the job script')
        self.at = "script"

        async def run(stage: Stage, beside: bool) -> int:
            if self.canceling:
                raise JobFailed("canceled", "job_canceled")
            status = await self._within(end - clock() if end else None, executor, stage, beside=beside)
            if status is None:
                raise _late(limit)
            return status

        await Functions(self.job, executor, self.trace, run).run(steps)

    async def _after_script(self, executor: Executor) -> JobFailed | None:
        """Gives the job's failure, where one here counts as such."""
        step = next((step for step in self.payload.steps if step.name == "after_script" and step.script), None)
        if step is None:
            return None
        stage = self.job.step(step)
        self.trace.open_section(stage.name, stage.title)
        limit = self.job.variables.seconds("RUNNER_AFTER_SCRIPT_TIMEOUT", AFTER_SCRIPT_TIME)
        status = await self._within(limit, executor, stage)
        if status == 0:
            return None
        what = executor.exited(status) if status else f"it took longer than {_duration(limit or 0)}"
        if not self.job.variables.is_true("AFTER_SCRIPT_IGNORE_ERRORS", True):
            return JobFailed(what, "script_failure", exit_code=status)
        self.trace.warning(f"after_script failed, but job will continue unaffected: {what}")
        return None

    async def _within(
        self, limit: float | None, executor: Executor, stage: Stage, *, beside: bool = False
    ) -> int | None:
        """The stage's exit status, or None when it had to be ended because its time was over."""
        if limit is None:
            return await executor.run(stage, beside=beside)
        work = asyncio.create_task(executor.run(stage, beside=beside))
        try:
            await asyncio.wait({work}, timeout=max(0.0, limit))
            if work.done():
                return work.result()
            await executor.interrupt()
            await work
            return None
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait([work])

    async def _finish(self, failure: JobFailed | None) -> None:
        """Reports first and removes afterwards; at the same time where somebody waits for the end."""
        if failure and failure.reason in ("job_canceled", "runner_interrupted"):
            await asyncio.gather(self._report(failure), self._clean())
            return
        try:
            await self._report(failure)
        finally:
            await self._clean(keep=failure is not None and self.at != "begin" and self.executors.config.keep_failed)

    async def _report(self, failure: JobFailed | None) -> None:
        self.trace.close_section()
        if failure is None:
            self.trace.info("Job succeeded")
            update = JobUpdate("success")
        else:
            if failure.hint:
                self.trace.line(failure.hint)
            kind = " (system failure)" if failure.reason == "runner_system_failure" else ""
            self.trace.error(f"Job failed{kind}: {failure}")
            update = JobUpdate("failed", self._known(failure.reason), failure.exit_code)
        await self.trace.close()
        update.output = self.trace.output()
        await self.coordinator.update_job(self.payload, update)

    def _known(self, reason: FailureReason) -> FailureReason:
        """The reason, or the nearest that a coordinator knows which doesn't list it."""
        listed = self.payload.features.failure_reasons
        if not listed or reason in ALWAYS_KNOWN or reason in listed:
            return reason
        return NEAREST.get(reason, "unknown_failure")

    async def _clean(self, *, keep: bool = False) -> None:
        if self.executor is not None:
            with contextlib.suppress(JobFailed):
                await (self.executor.keep() if keep else self.executor.close())


def _duration(seconds: float) -> str:
    """Seconds as people write them: 1h0m0s, 90s stays 1m30s."""
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{left}s"


def _late(limit: float | None) -> JobFailed:
    return JobFailed(
        f"the script took longer than RUNNER_SCRIPT_TIMEOUT ({_duration(limit or 0)})", "job_execution_timeout"
    )
