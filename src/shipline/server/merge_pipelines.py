"""What becomes of merge requests when branches move: they follow, get pipelines, are closed or found merged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from shipline.engine.errors import EngineError
from shipline.engine.git import GitCall
from shipline.engine.records import PipelineRecord
from shipline.engine.repository import NO_SHA
from shipline.language import Finding, LanguageError
from shipline.server.creation import NO_JOBS, Order, create_pipeline
from shipline.server.instance import Instance
from shipline.server.merge_requests import Facts, Refused, facts_of, for_pipelines
from shipline.server.permissions import Caller

SKIPPED = re.compile(r"\[(ci[ _-]skip|skip[ _-]ci)\]", re.IGNORECASE)
OPTION = "merge_request."
FLAGS = ("create", "draft", "remove_source_branch", "squash")
TEXTS = ("target", "title", "description", "label")


def says_skip(path: Path, sha: str) -> bool:
    """Whether a commit's message asks for no jobs."""
    message = GitCall(path, "log", "-1", "--format=%B", sha, "--").output(missing=b"")
    return SKIPPED.search(message.decode(errors="replace")) is not None


def order_for(instance: Instance, project: Any, caller: Caller, row: Any) -> Order:
    """The pipeline of a merge request."""
    protected = [
        bool(instance.projects.protection(project.id, "branch", branch))
        for branch in (row.source_branch, row.target_branch)
    ]
    about = for_pipelines(row, source_protected=protected[0], target_protected=protected[1])
    ref = f"refs/heads/{row.source_branch}"
    return Order(project=project, ref=ref, caller=caller, source="merge_request_event", merge_request=about)


async def branch_moved(instance: Instance, project: Any, caller: Caller, branch: str, now: str) -> list[str]:
    """After a push: `now` is the branch's commit, zeros when it is gone. Gives lines for whoever pushed."""
    requests, lines = instance.merge_requests, []
    if now == NO_SHA:
        for row in requests.of_source(project.id, branch):
            requests.close(row, caller.user_id)
        return []
    for row in requests.of_target(project.id, branch):
        if row.sha and row.sha != facts_of(row).base and _is_part(Path(project.path), row.sha, now):
            requests.merged(row, caller.user_id)
            lines.append(f"Merge request !{row.iid} is merged.")
        else:
            requests.follow(project, row)
    for row in requests.of_source(project.id, branch):
        requests.follow(project, row)
        lines += await pipeline_lines(instance, project, caller, requests.by_id(row.id))
    return lines


async def pipeline_lines(instance: Instance, project: Any, caller: Caller, row: Any) -> list[str]:
    """Makes the merge request's pipeline, if it has jobs; gives what is to be told of it."""
    if says_skip(Path(project.path), row.sha):
        return []
    place = f"{instance.settings.url}/{project.full_path}/-/pipelines"
    wrong: list[PipelineRecord] = []
    warnings: list[Finding] = []
    try:
        order = order_for(instance, project, caller, row)
        record = await create_pipeline(instance, order, warnings.extend, failed=wrong.append)
    except (LanguageError, EngineError) as error:
        if str(error) in (NO_JOBS, "Missing CI config file"):
            return []
        why = [f"The pipeline for merge request !{row.iid} could not be created:", *str(error).splitlines()]
        return why + [f"  {place}/{failed.id}" for failed in wrong]
    return [f"Pipeline #{record.id} for merge request !{row.iid}:", f"  {place}/{record.id}"]


async def asked_for(instance: Instance, project: Any, caller: Caller, branch: str, options: list[str]) -> list[str]:
    """`git push -o merge_request.create -o merge_request.target=main ...`: makes one; gives what is told of it."""
    flags, texts, unknown = _options(options)
    if "create" not in flags:
        return unknown
    target = (texts.get("target") or [project.default_branch])[-1]
    path = Path(project.path)
    subject = GitCall(path, "log", "-1", "--format=%s", f"refs/heads/{branch}", "--").output(missing=b"").decode()
    title = (texts.get("title") or [subject.strip() or branch])[-1]
    facts = Facts(
        description=(texts.get("description") or [""])[-1].replace("\\n", "\n"),
        labels=texts.get("label", []),
        squash="squash" in flags,
        remove_source_branch="remove_source_branch" in flags,
    )
    title = f"Draft: {title}" if "draft" in flags else title
    try:
        row = instance.merge_requests.create(project, caller.user_id, branch, target, title, facts)
    except Refused as refused:
        return [*unknown, f"No merge request: {refused}"]
    place = f"{instance.settings.url}/{project.full_path}/-/merge_requests/{row.iid}"
    return [*unknown, f"Merge request !{row.iid}: {place}", *await pipeline_lines(instance, project, caller, row)]


def _options(options: list[str]) -> tuple[set[str], dict[str, list[str]], list[str]]:
    """The flags and texts that are asked for, and a line for each option that is not known."""
    flags, texts, unknown = set(), dict[str, list[str]](), []
    for option in options:
        if not option.startswith(OPTION):
            continue
        name, _, value = option.removeprefix(OPTION).partition("=")
        if name in FLAGS:
            flags.add(name)
        elif name in TEXTS:
            texts.setdefault(name, []).append(value)
        else:
            unknown.append(f"-o {option}: merge requests here know {', '.join((*FLAGS, *TEXTS))}.")
    return flags, texts, unknown


def _is_part(path: Path, sha: str, of: str) -> bool:
    return GitCall(path, "merge-base", "--is-ancestor", sha, of).output(missing=b"no") != b"no"
