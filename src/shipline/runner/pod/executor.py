"""The `kubernetes` executor: makes a job's pod, runs its stages there, and takes it away."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

import msgspec

from shipline.runner.errors import JobFailed
from shipline.runner.executor import Stage
from shipline.runner.job import Job
from shipline.runner.kubernetes.errors import ApiError, Unreachable
from shipline.runner.pod import carried, states
from shipline.runner.pod.cluster import Cluster
from shipline.runner.pod.containers import image_of, pull_policies
from shipline.runner.pod.creation import Creation
from shipline.runner.pod.files import PodFiles
from shipline.runner.pod.labels import KEPT_LABEL
from shipline.runner.pod.late import late
from shipline.runner.pod.overwrites import overwritten
from shipline.runner.pod.refusals import refused
from shipline.runner.pod.service_watch import ServiceWatch
from shipline.runner.pod.services import unusable_aliases
from shipline.runner.pod.session import Session
from shipline.runner.pod.spec import PodPlan, plan
from shipline.runner.pod.warnings import Warnings
from shipline.runner.pod.watcher import PodWatcher
from shipline.runner.repository import RepositoryCopies
from shipline.runner.script.sources import Sources
from shipline.runner.sites import Site, Sites, site_of
from shipline.runner.trace.trace import Trace

Object = dict[str, Any]

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
TERM_TIME = 5.0  # seconds from SIGTERM to SIGKILL
LAST_LINES = 15  # of a container's log
TOLD = ("Failed: Failed to pull", "Failed: Error: ", "BackOff: Back-off pulling")  # by the pod's status, too
EVENTS_TIME = 5.0  # seconds in which nothing happens to a pod, until the cluster is asked why


class PodExecutor:
    """Made for one job."""

    def __init__(self, cluster: Cluster, copies: RepositoryCopies, job: Job, trace: Trace) -> None:
        self._cluster = cluster
        self._client = cluster.client
        self._copies = copies
        self._job = job
        self._trace = trace
        self._namespace = cluster.namespace
        self._plan: PodPlan | None = None
        self._creation: Creation | None = None
        self._watcher: PodWatcher | None = None
        self._session: Session | None = None
        self._services: ServiceWatch | None = None
        self._state = asyncio.Event()
        self._gone = False
        self._said: set[str] = set()
        self._warnings: Warnings | None = None
        self._broken: asyncio.Future[None] | None = None
        self._killing: asyncio.Future[None] | None = None
        self._copying: asyncio.Task[Path | None] | None = None
        self._sites = Sites.of(job.config)
        self._site: Site | None = None

    def exited(self, status: int) -> str:
        return f"command terminated with exit code {status}"

    async def prepare(self) -> None:
        self._broken = asyncio.get_running_loop().create_future()
        config, changes = overwritten(self._job.config.kubernetes, self._job.variables.exports())
        self._job.config = msgspec.structs.replace(self._job.config, kubernetes=config)
        self._namespace = config.namespace or self._cluster.namespace
        for change in changes:
            self._trace.line(change)
        self._trace.line(f"Using Kubernetes namespace: {self._namespace}")
        self._trace.line(f"Using Kubernetes executor with image {image_of(self._job)} ...")
        for alias in unusable_aliases(self._job):
            self._trace.warning(
                f"no service answers to {alias}: a host name has lower-case letters, digits, - and ."
            )
        image = self._job.payload.image
        attempts = len(pull_policies(config, image.pull_policy if image else None))
        self._trace.open_section("prepare_script", "Preparing environment")
        self._copying = asyncio.create_task(carried.own_sources(self._job, self._copies))
        for attempt in range(attempts):
            try:
                await self._start_pod(attempt, every=attempts > 1)
                return
            except _PullFailed as failure:
                if attempt + 1 == attempts:
                    await self._tell_events()
                    raise failure.failed from None
                self._trace.warning(f"{failure.failed}")
                self._trace.warning("trying the next pull policy")
                await self._remove_pod()
                self._broken = asyncio.get_running_loop().create_future()
            except JobFailed:
                await self._tell_events()
                await self._tell_preparation()
                raise

    async def _start_pod(self, attempt: int, *, every: bool) -> None:
        """Makes the pod and waits for build and helper; services may start while the sources are fetched, unless
        `every` container's image has to be had before it is too late for another pull policy."""
        suffix = "".join(secrets.choice(LETTERS) for _ in range(8))
        self._plan = plan(self._job, self._cluster.identity, self._namespace, suffix, attempt)
        served = bool(self._job.config.url)  # a manager, whose next job would fail as quickly
        self._creation = Creation(self._cluster, self._plan, self._warned, patient=served)
        try:
            pod = await self._creation.pod()
        except ApiError as error:
            raise refused(error, self._plan.namespace) from None
        except Unreachable as error:
            raise JobFailed(f"the cluster cannot be reached: {error}") from None
        self._gone, self._warnings = False, None
        aloud = self._job.variables.is_true("CI_DEBUG_SERVICES")
        self._services = ServiceWatch(self._client, self._plan, self._trace, aloud=aloud)
        self._watcher = PodWatcher(self._client, pod, self._pod_changed)
        self._session = Session(
            self._client,
            self._plan.namespace,
            self._plan.name,
            scripts=self._plan.scripts,
            log=self._plan.log,
            key=self._plan.key,
            output=self._trace.write,
        )
        await self._wait_until_started(self._plan, every=every)

    def _warned(self, text: str) -> None:
        """What is to be said of the cluster, once: a policy that will refuse one day what it takes now, silence."""
        if text not in self._said:
            self._said.add(text)
            self._trace.warning(f"the cluster: {text}")

    async def _wait_until_started(self, made: PodPlan, *, every: bool) -> None:
        """The stream to the helper is opened as soon as the helper runs."""
        self._trace.line(f"Waiting for pod {made.namespace}/{made.name} to be running, status is Pending")
        await self._wait_for({"helper"})
        assert self._session is not None
        self._session.start()
        pod = await self._wait_for({"build", *(service.container for service in made.services if every)})
        if self._sites is not None:
            aim = {"kubeconfig": self._job.config.kubeconfig, "context": self._job.config.context}
            self._site = site_of(self._job, made.scripts, pod=made.name, namespace=made.namespace, **aim)
            self._sites.put(self._site)
        self._trace.line(f"Running on {made.name} via {pod['spec'].get('nodeName', '')}...")

    async def _wait_for(self, containers: set[str]) -> Object:
        """The pod, once these containers have been started. What it waits for is told in the log, each thing
        once."""
        limit = self._job.config.kubernetes.poll_timeout
        deadline = asyncio.get_running_loop().time() + limit
        while True:
            pod = self._check()
            for line in states.waiting_reasons(pod):
                if line not in self._said:
                    self._said.add(line)
                    self._trace.line(f"\t{line}")
            if all(states.was_started(pod, name) for name in containers):
                return pod
            left = deadline - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self._state.wait(), min(left, EVENTS_TIME))
            except TimeoutError:
                if left > EVENTS_TIME:
                    await self._tell_events()
                else:
                    raise await self._late(limit) from None

    async def _late(self, limit: float) -> JobFailed:
        await self._tell_events()
        pod = self._watcher.pod if self._watcher else {}
        heard = self._warnings.heard if self._warnings else []
        return late(limit, states.phase(pod), states.waiting_reasons(pod), heard)

    def _pod_changed(self, pod: Object | None) -> None:
        if pod is None:
            self._gone = True
        elif self._services is not None:
            self._services.look(pod)
        try:
            self._check()
        except JobFailed as failure:
            if self._broken is not None and not self._broken.done():
                self._broken.set_exception(failure)
                self._broken.exception()
        self._state.set()

    def _check(self) -> Object:
        """The pod as it is now; JobFailed when it can't serve the job."""
        self._state.clear()
        assert self._watcher is not None
        if self._watcher.error is not None:
            error = self._watcher.error
            rights = f"The runner's account needs the verbs get, list and watch on pods in {self._namespace}."
            refused_it = isinstance(error, ApiError) and error.code == 403
            raise JobFailed(f"the pod cannot be watched: {error}", hint=rights if refused_it else "")
        if self._gone:
            raise JobFailed(
                f"the pod {self._watcher.pod['metadata']['name']} is gone",
                hint="Somebody, or a drain of its node, deleted the pod while the job ran. Retry the job.",
            )
        found = states.problem(self._watcher.pod)
        if found is not None:
            failure = JobFailed(found.message, found.reason, exit_code=found.exit_code, hint=found.hint)
            raise _PullFailed(failure) if found.pulling else failure
        return self._watcher.pod

    async def get_sources(self) -> None:
        assert self._copying is not None
        archive = await self._copying
        copy = f"{self._job.places.builds}/.sources-{self._job.payload.id}.git" if archive else None
        modules, links, archives = await carried.module_sources(self._job, self._copies)
        if archive and copy:
            archives.append((archive, copy))
        status = await self._run("helper", Sources(self._job).stage(copy, modules, links), archives)
        if status:
            raise JobFailed(self.exited(status), "runner_system_failure", exit_code=status)
        if self._services is not None and self._plan is not None:
            await self._wait_for({service.container for service in self._plan.services})
            await self._services.wait_ready(self._job, self._check, self._state)

    def files(self, folder: str = "") -> PodFiles:
        assert self._plan is not None
        return PodFiles(
            self._client,
            self._plan.namespace,
            self._plan.name,
            project=folder or self._job.places.project,
            scratch=self._plan.scripts,
        )

    async def run(self, stage: Stage, *, beside: bool = False) -> int:
        return await self._run("helper" if beside else "build", stage)

    async def _run(self, container: str, stage: Stage, archives: list[tuple[Path, str]] | None = None) -> int:
        """Runs the stage, unless the pod breaks first."""
        assert self._session is not None
        assert self._broken is not None
        work = asyncio.create_task(self._session.run(container, stage.text, archives))
        try:
            waited: list[asyncio.Future[Any]] = [work, self._broken]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self._broken.result()
            return work.result()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait([work])

    async def interrupt(self) -> None:
        if self._session is not None:
            await self._session.signal("stop")
            asyncio.get_running_loop().call_later(TERM_TIME, self._kill)

    def _kill(self) -> None:
        if self._session is not None:
            self._killing = asyncio.ensure_future(self._session.signal("kill"))

    async def _tell_preparation(self) -> None:
        """The last lines of the container that was to prepare the pod, and failed. It is none of the job's own."""
        failed = states.failed_preparation(self._watcher.pod) if self._watcher else ""
        if failed and self._plan is not None:
            text = await self._client.logs(self._plan.namespace, self._plan.name, failed, tail=LAST_LINES)
            self._trace.write("".join(f"  {failed} | {line}\n" for line in text.splitlines()).encode())

    async def _tell_events(self) -> None:
        """What the cluster warned about: volumes that can't be mounted, probes that fail, ... Each once."""
        if self._plan is None or not self._job.config.kubernetes.print_pod_warning_events:
            return
        if self._warnings is None:
            self._warnings = Warnings(self._client, self._plan.namespace, self._plan.name)
        for text in await self._warnings.new():
            if not text.startswith(TOLD):
                self._trace.warning(f"Event {text}")

    async def keep(self) -> None:
        """The pod stays, with what its containers still run; a script whose time was over ends."""
        if self._site is None or self._sites is None or self._gone:
            await self.close()
            return
        if self._session is not None:
            await self._session.signal("kill")
        path = f"/api/v1/namespaces/{self._site.namespace}/pods/{self._site.pod}"
        try:
            await self._client.patch(path, {"metadata": {"labels": {KEPT_LABEL: "true"}}})
        except (ApiError, Unreachable) as error:
            self._cluster.notify(f"the pod {self._site.pod} could not be kept: {error}")
            await self.close()
            return
        self._sites.keep(self._site)
        await self._let_go()

    async def _let_go(self) -> None:
        for part in (self._session, self._watcher, self._services):
            if part is not None:
                await part.close()
        self._session = self._services = None

    async def close(self) -> None:
        if self._sites is not None:
            self._sites.forget(self._job.payload.id)
        if self._copying is not None:
            self._copying.cancel()
            await asyncio.gather(self._copying, return_exceptions=True)
        await self._remove_pod()

    async def _remove_pod(self) -> None:
        """Deletes the pod; what it owns goes with it."""
        if self._creation is not None:
            await self._creation.settled()
        await self._let_go()
        if self._creation is not None:
            config = self._job.config.kubernetes
            grace = config.cleanup_grace_period_seconds
            await self._creation.undo(config.pod_termination_grace_period_seconds if grace is None else grace)


class _PullFailed(JobFailed):
    """An image could not be had; another pull policy may help."""

    def __init__(self, failed: JobFailed) -> None:
        super().__init__(str(failed), failed.reason, hint=failed.hint)
        self.failed = failed
