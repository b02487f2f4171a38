"""Runners at work for their servers, as config.toml says and goes on to say, until a signal ends them: gracefully
at first, then by force."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from shipline.cli.runners import Hands
from shipline.runner import RunnerError
from shipline.runner.fleet import Fleet
from shipline.runner.system_id import system_id

if TYPE_CHECKING:
    from shipline.runner.metrics import Metrics

FORCED = 143
"""The exit code after SIGTERM."""
LOOK_EVERY = 3.0  # seconds between two looks at config.toml: gitlab-runner's


class Settings(NamedTuple):
    """config.toml as a value: where it is, and what reads it (perhaps starting a cluster: it may take a while)."""

    path: Path
    read: Callable[[], Hands]
    listen_address: str


async def serve_jobs(settings: Settings, hands: Hands) -> int:
    """Serves until it is told to stop; gives the exit code."""
    metrics = None
    if settings.listen_address:
        from shipline.runner.metrics import Metrics

        metrics = Metrics()
    fleet = Fleet(system_id(settings.path.parent / ".runner_system_id"), _say, metrics)
    told = _Told(fleet)
    async with contextlib.AsyncExitStack() as stack:
        if metrics is not None:
            from shipline.runner.status_page import listening

            port = await stack.enter_async_context(listening(settings.listen_address, fleet, metrics))
            _say(f"Metrics and health are at port {port}: /metrics, /healthz.")
        await _follow(fleet, hands)
        following = asyncio.create_task(_reload(settings, fleet, told.reread, metrics))
        try:
            await fleet.run()
        finally:
            following.cancel()
    return FORCED if told.forced else 0


class _Told:
    """What signals have said."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.stopping = False
        self.forced = False
        self.reread = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(number, self._interrupted)
        loop.add_signal_handler(signal.SIGTERM, self._force)
        loop.add_signal_handler(signal.SIGHUP, self.reread.set)

    def _interrupted(self) -> None:
        if self.stopping:
            self._force()
            return
        self.stopping = True
        _say("Stopping when the running jobs have ended (once more to abort them) ...")
        self.fleet.stop()

    def _force(self) -> None:
        self.forced = True
        self.fleet.abort()


async def _follow(fleet: Fleet, hands: Hands) -> None:
    entries = [entry for entry in hands.runners if entry.url]
    await fleet.follow(hands.at_most, entries, hands.check_interval)
    serving = ", ".join(f"{entry.name} at {entry.url}" for entry in entries)
    _say(f"Serving {serving}, {hands.at_most} jobs at a time." if entries else "No runner is configured: waiting.")


async def _reload(settings: Settings, fleet: Fleet, reread: asyncio.Event, metrics: Metrics | None) -> None:
    """Reads config.toml again when it has changed, or a signal says so. A wrong one changes nothing."""
    before = _state(settings.path)
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reread.wait(), LOOK_EVERY)
        now = _state(settings.path)
        if now == before and not reread.is_set():
            continue
        before = now
        reread.clear()
        try:
            hands = await asyncio.to_thread(settings.read)
        except RunnerError as error:
            if metrics is not None:
                metrics.misconfigured()
            _say(f"{error}\nThe runners go on as they were.")
            continue
        _say(f"{settings.path} was read again.")
        await _follow(fleet, hands)


def _state(path: Path) -> tuple[int, int, int] | None:
    """Changes when the file does; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _say(line: str) -> None:
    click.echo(line, err=True)
