"""What a runner's process counts, in Prometheus' form and by gitlab-runner's names, for its dashboards."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

import shipline
from shipline.protocol.coordinator import JobUpdate
from shipline.protocol.payload import JobPayload

DURATIONS = (30, 60, 300, 600, 1800, 3600, 7200, 10800, 18000, 36000)
QUEUE_DURATIONS = (1, 3, 10, 30, 60, 120, 300, 900, 1800, 3600)
ENDPOINTS = (("/jobs/request", "request_job"), ("/trace", "patch_trace"), ("/artifacts", "artifacts"))


class Metrics:
    """One for a process. `runner` is the name of a `[[runners]]` entry."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        taken = CollectorRegistry()  # the library lets no counter have a gauge's name in one registry
        self._registries = (registry, taken)
        self._began: dict[tuple[str, int], float] = {}
        by_runner = ["runner"]
        self._running = Gauge("gitlab_runner_jobs", "Jobs that run now.", by_runner, registry=registry)
        self._total = Counter("gitlab_runner_jobs", "Jobs that were taken.", by_runner, registry=taken)
        self._failed = Counter(
            "gitlab_runner_failed_jobs", "Jobs that failed.", ["runner", "failure_reason"], registry=registry
        )
        self._duration = Histogram(
            "gitlab_runner_job_duration_seconds",
            "How long jobs ran.",
            by_runner,
            buckets=DURATIONS,
            registry=registry,
        )
        self._queued = Histogram(
            "gitlab_runner_job_queue_duration_seconds",
            "How long jobs waited for a runner.",
            by_runner,
            buckets=QUEUE_DURATIONS,
            registry=registry,
        )
        self._answers = Counter(
            "gitlab_runner_api_request_statuses",
            "The server's answers.",
            ["runner", "endpoint", "status"],
            registry=registry,
        )
        self._concurrent = Gauge("gitlab_runner_concurrent", "Jobs at a time, at most.", registry=registry)
        self._limit = Gauge(
            "gitlab_runner_limit", "Jobs of a runner at a time, at most.", by_runner, registry=registry
        )
        self._loaded = Counter(
            "gitlab_runner_configuration_loaded", "How often config.toml was read.", registry=registry
        )
        self._not_loaded = Counter(
            "gitlab_runner_configuration_loading_error", "How often it could not be.", registry=registry
        )
        version = Gauge("gitlab_runner_version_info", "This runner.", ["name", "version"], registry=registry)
        version.labels("shipline", shipline.__version__).set(1)

    def started(self, runner: str, job: JobPayload) -> None:
        """A job was taken."""
        self._began[runner, job.id] = time.monotonic()
        self._running.labels(runner).inc()
        self._total.labels(runner).inc()
        self._queued.labels(runner).observe(job.job_info.time_in_queue_seconds)

    def ended(self, runner: str, job: JobPayload, update: JobUpdate) -> None:
        """A job's end was reported."""
        self._running.labels(runner).dec()
        self._duration.labels(runner).observe(time.monotonic() - self._began.pop((runner, job.id)))
        if update.state == "failed":
            self._failed.labels(runner, update.failure_reason or "unknown_failure").inc()

    def answered(self, runner: str, path: str, status: int) -> None:
        """The server answered."""
        endpoint = next((name for end, name in ENDPOINTS if path.endswith(end)), "update_job")
        self._answers.labels(runner, endpoint, str(status)).inc()

    def configured(self, concurrent: int, limits: dict[str, int]) -> None:
        """config.toml was read; `limits` by runner, 0 for none."""
        self._loaded.inc()
        self._concurrent.set(concurrent)
        self._limit.clear()
        for runner, limit in limits.items():
            self._limit.labels(runner).set(limit)
            self._running.labels(runner)

    def misconfigured(self) -> None:
        """config.toml could not be read, and what was there before goes on."""
        self._not_loaded.inc()

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return b"".join(generate_latest(registry) for registry in self._registries)
