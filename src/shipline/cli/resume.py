"""Going on with a pipeline of an earlier command: here, or in the process that still runs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from shipline.cli.exit_codes import exit_code
from shipline.cli.options import Where
from shipline.cli.running import tell_settled, work_on

if TYPE_CHECKING:
    from shipline.cli.screen import Screen, View
    from shipline.engine.live import Live
    from shipline.engine.pipelines import Pipelines

LOOK_AGAIN = 0.2
AT_ONCE = 1 << 20
BUSY = ("pending", "running", "canceling", "waiting_for_resource", "scheduled")


def resume(
    pipelines: Pipelines,
    pipeline_id: int,
    event: Callable[[], object],
    where: Where,
    view: View,
    asked: list[str],
) -> int:
    """Lets something happen to a pipeline and sees its jobs through, with all that belongs to it; gives the exit
    code of the topmost. `asked` are the jobs that will run because of it, besides those that wait for them."""
    from shipline.cli.elsewhere import elsewhere_of
    from shipline.cli.hierarchy import together, topmost
    from shipline.cli.runners import runners
    from shipline.cli.screens import chosen_screen
    from shipline.cli.state import opened_repository

    tell_settled(pipelines)
    screen = chosen_screen(view)
    top = topmost(pipelines, pipeline_id)
    pods = any(
        _need_pods(live, asked if live.record.id == pipeline_id else [])
        for live in together(pipelines.live(top.id), pipelines.store)
    )
    elsewhere = pipelines.store.alive(pipelines.live(pipeline_id).record.process)
    hands = None if elsewhere else runners(where, pods, screen.say)
    with pipelines.store.transaction():
        event()
        ours = pipelines.adopt(pipeline_id)
    if not ours:
        return _watch(pipelines, top.id, screen)
    project = pipelines.store.project_by_id(top.project_id)
    with opened_repository(Path(project.path)) as repository:
        hands = hands or runners(where, pods, screen.say)
        return work_on(pipelines, top.id, repository, hands, screen, elsewhere_of(top, repository))


def _need_pods(live: Live, asked: list[str]) -> bool:
    """Whether a job that was asked for, or may follow it, has an image."""
    waiting = [job.name for job in live.jobs.values() if job.status in ("created", "skipped", *BUSY)]
    return any(live.definitions[name].image for name in (*asked, *waiting))


def _watch(pipelines: Pipelines, pipeline_id: int, screen: Screen) -> int:
    """Shows a pipeline that another process runs, until nothing is left to do there."""
    from shipline.cli.hierarchy import Names

    screen.name = Names(pipelines.store).of
    try:
        screen.begin(pipelines.live(pipeline_id))
        screen.say(f"Pipeline {pipeline_id} is run by another process; here is what it does.")
        _until_over(pipelines, pipeline_id, screen)
        screen.finish(pipelines.live(pipeline_id), pipelines.store)
    finally:
        screen.close()
    return exit_code(pipelines.live(pipeline_id))


def _until_over(pipelines: Pipelines, pipeline_id: int, screen: Screen) -> None:
    from shipline.cli.hierarchy import together

    pipelines.listeners.append(screen.changed)
    read: dict[int, int] = {}
    while True:
        live = pipelines.live(pipeline_id)
        lives = [live, *(pipelines.live(below.record.id) for below in list(together(live, pipelines.store))[1:])]
        for job in [job for each in lives for job in each.jobs.values()]:
            if job.started_at is not None and job.process != pipelines.store.process:
                while data := pipelines.store.read_trace(job.id, read.get(job.id, 0), AT_ONCE):
                    screen.trace(job, read.get(job.id, 0), data)
                    read[job.id] = read.get(job.id, 0) + len(data)
        screen.tick()
        if not any(each.busy() for each in lives):
            return
        if not pipelines.store.alive(live.record.process):
            tell_settled(pipelines)
        time.sleep(LOOK_AGAIN)
