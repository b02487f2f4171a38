"""Runners at work for their servers, until a signal ends them: gracefully at first, then by force."""

from __future__ import annotations

import asyncio
import signal

import click

from shipline.runner import Runner, RunnerConfig
from shipline.runner.http_coordinator import HttpCoordinator
from shipline.runner.slots import Slots

FORCED = 143
"""The exit code after SIGTERM."""


async def serve_jobs(entries: list[RunnerConfig], at_most: int, coordinators: list[HttpCoordinator]) -> int:
    """Serves until it is told to stop; gives the exit code."""
    stop, places = asyncio.Event(), asyncio.Semaphore(at_most)
    loop = asyncio.get_running_loop()
    runners = [
        asyncio.ensure_future(Runner(entry, Slots(coordinator, places), notify=_say).run(stop))
        for entry, coordinator in zip(entries, coordinators, strict=True)
    ]
    forced = False

    def force() -> None:
        nonlocal forced
        forced = True
        for task in runners:
            task.cancel()

    def interrupted() -> None:
        if stop.is_set():
            force()
            return
        _say("Stopping when the running jobs have ended (once more to abort them) ...")
        stop.set()

    for number in (signal.SIGINT, signal.SIGQUIT):
        loop.add_signal_handler(number, interrupted)
    loop.add_signal_handler(signal.SIGTERM, force)
    _say(f"Serving {', '.join(f'{entry.name} at {entry.url}' for entry in entries)}, {at_most} jobs at a time.")
    try:
        results = await asyncio.gather(*runners, return_exceptions=True)
    finally:
        for coordinator in coordinators:
            await coordinator.close()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return FORCED if forced else 0


def _say(line: str) -> None:
    click.echo(line, err=True)
