"""What the options make of a commit's facts: another ref, a tag, a merge request, a schedule.

Shared by `shipline run` and the commands that only look at a configuration, so that both mean the same pipeline by
the same words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shipline.cli.circumstances import Given
    from shipline.engine.records import Commit
    from shipline.engine.repository import Repository


def commit_of(given: Given, repository: Repository) -> Commit:
    """The commit of `--ref`, or of the tag that `--tag` names where it is there; else what is checked out. Raises
    EngineError for a ref that is not there."""
    if given.ref is None and given.tag and repository.objects.read(f"refs/tags/{given.tag}") is not None:
        return repository.commit(f"refs/tags/{given.tag}")
    return repository.commit(given.ref)


def of_commit(commit: Commit) -> dict[str, Any]:
    """What a commit says."""
    return {
        "ref": commit.ref,
        "tag": commit.is_tag,
        "sha": commit.sha,
        "before_sha": commit.before_sha,
        "commit_message": commit.message,
        "commit_author": commit.author,
        "commit_timestamp": commit.timestamp,
        "tag_message": commit.tag_message or "",
    }


def occasion(given: Given, facts: dict[str, Any], repository: Repository | None) -> dict[str, Any]:
    """What the options make of a commit's facts: another ref, a tag, another event. `shipline run` and the commands
    that only look share this."""
    facts = dict(facts)
    if given.ref is not None and "sha" not in facts:
        facts["ref"] = given.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
        facts["tag"] = given.ref.startswith("refs/tags/") or facts.get("tag", False)
    if given.tag is not None:
        facts["tag"] = True
        facts["ref"] = given.tag or facts.get("ref", "v1.0.0")
    if given.schedule is not None:
        facts |= {"source": "schedule", "schedule_description": given.schedule}
    if given.source:
        facts["source"] = given.source
    if given.merge_request is not None or given.source == "merge_request_event":
        facts |= of_merge_request(given, facts, repository)
    pushed = not facts.get("tag") and facts.get("source") in (None, "push")
    if given.changed:
        facts["changed"] = list(given.changed)
    elif not pushed and facts.get("source") != "merge_request_event":
        facts["changed"] = None
    if not pushed:
        facts["before_sha"] = "0" * 40
    if given.protected is not None:
        facts["ref_protected"] = given.protected
    elif "default_branch" in facts:
        facts["ref_protected"] = not facts.get("tag") and facts.get("ref") == facts["default_branch"]
    return facts


def refuse_contradictions(given: Given) -> None:
    """Raises click.UsageError where two options name different pipelines."""
    events = {
        "--merge-request": (given.merge_request is not None, "merge_request_event"),
        "--schedule": (given.schedule is not None, "schedule"),
    }
    asked = [name for name, (is_given, _) in events.items() if is_given]
    if len(asked) > 1:
        raise click.UsageError(f"{' and '.join(asked)} are two different events: use one of them.")
    if asked and given.source not in (None, events[asked[0]][1]):
        raise click.UsageError(f"{asked[0]} and --source {given.source} are two different events: use one of them.")
    if given.tag is not None and given.merge_request is not None:
        raise click.UsageError("--tag and --merge-request are two different events: use one of them.")


def of_merge_request(given: Given, facts: dict[str, Any], repository: Repository | None = None) -> dict[str, Any]:
    """A merge request of the commit's branch. Where the target branch is there, what changed is what the merge
    request changes."""
    from shipline.language import MergeRequest

    target = given.merge_request or facts.get("default_branch", "main")
    iid = int(target) if target.isdigit() else 1
    target = facts.get("default_branch", "main") if target.isdigit() else target
    sha = facts.get("sha", "")
    tip, base = merge_base(repository, target, sha) if repository else ("", "")
    request = MergeRequest(
        iid=iid,
        id=iid,
        title=facts.get("commit_message", "").partition("\n")[0],
        source_branch=facts.get("ref", "feature"),
        target_branch=target,
        source_sha=sha,
        target_sha=tip,
        diff_base_sha=base,
    )
    changed = repository.differing(base, sha) if repository and base else None
    return {"source": "merge_request_event", "merge_request": request, "tag": False, "changed": changed}


def merge_base(repository: Repository, target: str, sha: str) -> tuple[str, str]:
    """The tip of a branch, and where the commit left it; empty where the branch is not there."""
    from shipline.engine.git import GitCall

    for name in (f"refs/heads/{target}", f"refs/remotes/origin/{target}"):
        found = repository.objects.read(f"{name}^{{commit}}")
        if found is not None:
            base = GitCall(repository.path, "merge-base", found.sha, sha).output(missing=b"")
            return found.sha, base.decode().strip()
    return "", ""
