"""Merge requests as GitLab's JSON objects. What there is none of here (votes, milestones) is empty."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from shipline.server.api import shapes
from shipline.server.api.shapes import Shape
from shipline.server.git import content
from shipline.server.git.merging import fits
from shipline.server.http.answers import time_text
from shipline.server.http.call import Call
from shipline.server.merge_requests import facts_of, is_draft


def basic(call: Call, project: Any, row: Any) -> Shape:
    """What a list tells of one."""
    facts, draft = facts_of(row), is_draft(row.title)
    assignees = [shape for number in facts.assignees if (shape := shapes.user_of(call, number)) is not None]
    full = f"{project.full_path}!{row.iid}"
    return {
        "id": row.id,
        "iid": row.iid,
        "project_id": row.project_id,
        "title": row.title,
        "description": facts.description,
        "state": row.state,
        "created_at": time_text(row.created_at),
        "updated_at": time_text(row.updated_at),
        "merged_by": shapes.user_of(call, facts.merged_by),
        "merge_user": shapes.user_of(call, facts.merged_by),
        "merged_at": time_text(facts.merged_at),
        "closed_by": shapes.user_of(call, facts.closed_by),
        "closed_at": time_text(facts.closed_at),
        "target_branch": row.target_branch,
        "source_branch": row.source_branch,
        "user_notes_count": call.instance.notes.count(row.id),
        "upvotes": 0,
        "downvotes": 0,
        "author": shapes.user_of(call, row.author_id),
        "assignees": assignees,
        "assignee": assignees[0] if assignees else None,
        "reviewers": [],
        "source_project_id": row.project_id,
        "target_project_id": row.project_id,
        "labels": sorted(facts.labels),
        "draft": draft,
        "work_in_progress": draft,
        "milestone": None,
        "merge_when_pipeline_succeeds": facts.when_succeeded is not None,
        "merge_status": "unchecked" if row.state == "opened" else "can_be_merged",
        "detailed_merge_status": "unchecked" if row.state == "opened" else "not_open",
        "sha": row.sha,
        "merge_commit_sha": facts.merge_commit_sha,
        "squash_commit_sha": facts.squash_commit_sha,
        "discussion_locked": None,
        "should_remove_source_branch": None,
        "force_remove_source_branch": facts.remove_source_branch,
        "prepared_at": time_text(row.created_at),
        "reference": f"!{row.iid}",
        "references": {"short": f"!{row.iid}", "relative": f"!{row.iid}", "full": full},
        "web_url": f"{shapes.base(call)}/{project.full_path}/-/merge_requests/{row.iid}",
        "time_stats": {
            "time_estimate": 0,
            "total_time_spent": 0,
            "human_time_estimate": None,
            "human_total_time_spent": None,
        },
        "squash": facts.squash,
        "squash_on_merge": facts.squash,
        "task_completion_status": {"count": 0, "completed_count": 0},
        "has_conflicts": False,
        "blocking_discussions_resolved": True,
    }


async def whole(call: Call, project: Any, row: Any) -> Shape:
    """All that is told of one."""
    facts = facts_of(row)
    shape = basic(call, project, row) | await asyncio.to_thread(_state, project, row)
    pipeline = call.instance.merge_requests.head_pipeline(row)
    name = project.full_path
    if call.boolean("include_rebase_in_progress"):
        shape |= {"rebase_in_progress": False}
    return shape | {
        "subscribed": False,
        "latest_build_started_at": None,
        "latest_build_finished_at": None,
        "first_deployed_to_production_at": None,
        "pipeline": shapes.pipeline_basic(call, pipeline, name) if pipeline is not None else None,
        "head_pipeline": shapes.pipeline(call, pipeline, name) if pipeline is not None else None,
        "diff_refs": {"base_sha": facts.base or None, "head_sha": row.sha, "start_sha": facts.start or None},
        "merge_error": facts.merge_error,
        "user": {"can_merge": call.instance.projects.may_merge(project, call.caller, row.target_branch)},
    }


def _state(project: Any, row: Any) -> Shape:
    """Whether it can be merged, and how many files it changes."""
    facts, path = facts_of(row), Path(project.path)
    count = len(content.differences(path, facts.base or None, row.sha)) if row.sha else 0
    told: Shape = {"changes_count": str(count)}
    if row.state != "opened":
        return told
    target = content.resolve(path, f"refs/heads/{row.target_branch}")
    conflicts = target is None or fits(path, target, row.sha) is None
    status = "draft_status" if is_draft(row.title) else "mergeable"
    if row.sha == facts.base:
        status = "commits_status"
    if conflicts:
        status = "conflict"
    merge_status = "cannot_be_merged" if conflicts else "can_be_merged"
    return told | {"has_conflicts": conflicts, "merge_status": merge_status, "detailed_merge_status": status}
