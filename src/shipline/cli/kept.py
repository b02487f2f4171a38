"""Failed jobs that are held for a person to look into: how they are told of, and how they are removed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from shipline.cli import texts
from shipline.cli.state import home
from shipline.cli.widths import plain

if TYPE_CHECKING:
    from pathlib import Path

    from shipline.engine.live import Live
    from shipline.runner import RunnerConfig
    from shipline.runner.sites import Site, Sites


def sites() -> Sites | None:
    """What is known of this machine's jobs; None where nothing ever was."""
    if not (home() / "sites").is_dir():
        return None
    from shipline.runner.sites import Sites

    return Sites(home() / "sites")


def told(kept: list[Site]) -> list[str]:
    """The lines that list what is kept, with what to do about it; none where there is nothing."""
    if not kept:
        return []
    lines = ["Kept:"]
    for site in kept:
        what = f"pod {site.namespace}/{site.pod}" if site.pod else site.folder
        since = texts.duration(time.time() - (site.kept_at or 0))
        lines.append(f"  {plain(site.name)} (job {site.job}), {what}, for {since}")
        lines.append(f"    look into it: shipline shell {site.job}    remove it: shipline cleanup {site.job}")
    return lines


def remove_replaced(live: Live, config: Path | None) -> list[str]:
    """Removes what is kept of jobs that have run again in this pipeline, and what killed runners left; gives lines
    that say what could not be removed."""
    known = sites()
    if known is None:
        return []
    ran = {job.name: job.id for job in live.jobs.values() if job.started_at is not None}
    project = live.record.project_id
    old = [site for site in known.kept() if site.project_id == project and site.job < ran.get(site.name, 0)]
    return remove_all(known, [*old, *known.abandoned()], config)


def remove_all(known: Sites, unwanted: list[Site], config: Path | None) -> list[str]:
    """Removes sites; gives lines that say what could not be removed, and why."""
    import asyncio

    from shipline.runner.errors import RunnerError
    from shipline.runner.visits import remove

    complaints = []
    for site in unwanted:
        try:
            asyncio.run(remove(known, site, runner_of(site, config)))
        except RunnerError as error:
            complaints.append(str(error))
    return complaints


def runner_of(site: Site, config: Path | None) -> RunnerConfig:
    """The configuration of the runner that had the job."""
    from shipline.cli.runners import settings

    configured = settings(config).runners
    return next((runner for runner in configured if runner.name == site.runner), configured[0])
