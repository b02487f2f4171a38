"""environment:on_stop and its stop job, which must fit each other."""

from __future__ import annotations

from shipline.language.entry import did_you_mean
from shipline.language.findings import UNDEFINED, Finding, finding
from shipline.language.keywords.root import Root


def check(root: Root) -> list[Finding]:
    """What is wrong between jobs that deploy and the jobs that stop what they deployed."""
    jobs = {job.name: job for job in root.jobs}
    found = []
    for job in root.jobs:
        environment = job.get("environment") or {}
        stop = environment.get("on_stop")
        if not stop:
            continue
        place = job.source["environment"].at("on_stop")
        target = jobs.get(stop)
        there = (target.get("environment") or {}) if target else {}
        if target is None:
            text, hint = f"on_stop job {stop} is not defined", did_you_mean(stop, jobs)
        elif not there:
            text, hint = f"on_stop job {stop} does not have environment defined", None
        elif there.get("name") != environment.get("name"):
            text, hint = (
                f"on_stop job {stop} have different environment name",
                f"expected {environment.get('name')}",
            )
        elif there.get("action") != "stop":
            text, hint = f"on_stop job {stop} needs to have action stop defined", "environment: {action: stop}"
        else:
            continue
        check = UNDEFINED if target is None or not there else "config"
        found.append(finding(f"{job.name} job: {text}", place, hint, check=check))
    return found
