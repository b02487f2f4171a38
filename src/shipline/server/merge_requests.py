"""Merge requests: what a branch is to become part of, and who asked for it. Both branches are of one project.

Kept here is what pipelines and the API need of them; there are no merge trains.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from shipline.engine.git import GitCall
from shipline.engine.records import Commit
from shipline.language.context import MergeRequest
from shipline.server import tables as t
from shipline.server.database import Database

DRAFT = re.compile(r"\s*(\[draft\]|draft:|\(draft\))", re.IGNORECASE)


class Refused(Exception):
    """A merge request that cannot be; `texts` are GitLab's."""

    def __init__(self, *texts: str) -> None:
        super().__init__(", ".join(texts))
        self.texts = list(texts)


class Wish(msgspec.Struct, frozen=True, omit_defaults=True):
    """How somebody wants it merged. `sha`: the commit that they have seen; `message`: of the merge commit, empty
    for the usual one; `squash_message`: of the one commit that stands for all."""

    user_id: int
    sha: str
    message: str = ""
    squash: bool = False
    squash_message: str = ""
    remove_source_branch: bool = False


class Facts(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rest of a merge request. `base`, `start`: where its branch left the target branch, and the target branch
    then. `when_succeeded`: it is to be merged so when its pipeline has succeeded. Times are Unix seconds."""

    description: str = ""
    labels: list[str] = []
    assignees: list[int] = []
    squash: bool = False
    remove_source_branch: bool = False
    base: str = ""
    start: str = ""
    merge_commit_sha: str | None = None
    squash_commit_sha: str | None = None
    merged_by: int | None = None
    merged_at: float | None = None
    closed_by: int | None = None
    closed_at: float | None = None
    approved_by: dict[int, float] = {}
    when_succeeded: Wish | None = None
    merge_error: str | None = None


def facts_of(row: Any) -> Facts:
    return msgspec.json.decode(row.record, type=Facts)


def is_draft(title: str) -> bool:
    return DRAFT.match(title) is not None


class MergeRequests:
    """The merge requests of all projects."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(self, project: Any, author_id: int, source: str, target: str, title: str, facts: Facts) -> Any:
        """A new, open one. Raises Refused."""
        path = Path(project.path)
        if source == target:
            raise Refused("You can't use same project/branch for source and target")
        missing = [name for name, branch in (("Source", source), ("Target", target)) if not _tip(path, branch)]
        if missing:
            raise Refused(
                *(f'{name} branch "{source if name == "Source" else target}" does not exist' for name in missing)
            )
        now, table = time.time(), t.merge_requests
        with self.database.transaction():
            for other in self.of_source(project.id, source):
                if other.target_branch == target:
                    raise Refused(f"Another open merge request already exists for this source branch: !{other.iid}")
            newest = sa.select(sa.func.coalesce(sa.func.max(table.c.iid), 0)).where(
                table.c.project_id == project.id
            )
            iid = self.database.execute(newest).scalar_one() + 1
            number = self.database.insert(
                table,
                project_id=project.id,
                iid=iid,
                state="opened",
                source_branch=source,
                target_branch=target,
                author_id=author_id,
                title=title,
                sha="",
                created_at=now,
                updated_at=now,
                record=msgspec.json.encode(facts).decode(),
            )
        self.follow(project, self.by_id(number))
        return self.by_id(number)

    def by_id(self, number: int) -> Any | None:
        return self.database.one(sa.select(t.merge_requests).where(t.merge_requests.c.id == number))

    def find(self, project_id: int, iid: int) -> Any | None:
        columns = t.merge_requests.c
        query = sa.select(t.merge_requests).where(columns.project_id == project_id, columns.iid == iid)
        return self.database.one(query)

    def of_source(self, project_id: int, branch: str) -> list[Any]:
        """The open ones of a branch."""
        return self._open(project_id, t.merge_requests.c.source_branch == branch)

    def of_target(self, project_id: int, branch: str) -> list[Any]:
        """The open ones that are to become part of a branch."""
        return self._open(project_id, t.merge_requests.c.target_branch == branch)

    def _open(self, project_id: int, condition: sa.ColumnElement[bool]) -> list[Any]:
        columns = t.merge_requests.c
        mine = (columns.project_id == project_id) & (columns.state == "opened") & condition
        return list(self.database.all(sa.select(t.merge_requests).where(mine).order_by(columns.iid)))

    def references(self, project: Any, commit: Commit) -> list[str]:
        """The open ones of a branch, as `group/app!1`."""
        found = self.of_source(project.id, commit.ref) if not commit.is_tag else []
        return [f"{project.full_path}!{row.iid}" for row in found]

    def follow(self, project: Any, row: Any) -> None:
        """The source branch may have moved: so does what the merge request is about, and its own ref in git."""
        path = Path(project.path)
        head, start = _tip(path, row.source_branch), _tip(path, row.target_branch)
        if not head:
            return
        out = GitCall(path, "merge-base", start or head, head).output(missing=b"")
        facts: dict[str, Any] = {"base": out.decode().strip(), "start": start}
        if head != row.sha:
            facts |= {"when_succeeded": None, "merge_error": None}
        self.change(row, facts, sha=head)
        GitCall(path, "update-ref", f"refs/merge-requests/{row.iid}/head", head).output()

    def change(self, row: Any, facts: dict[str, Any] | None = None, **columns: Any) -> None:
        """Changes columns, and facts of the record."""
        if facts:
            columns["record"] = msgspec.json.encode(msgspec.structs.replace(facts_of(row), **facts)).decode()
        query = sa.update(t.merge_requests).where(t.merge_requests.c.id == row.id)
        self.database.execute(query.values(updated_at=time.time(), **columns))

    def close(self, row: Any, user_id: int) -> None:
        self.change(row, {"closed_by": user_id, "closed_at": time.time(), "when_succeeded": None}, state="closed")

    def merged(self, row: Any, user_id: int, **facts: Any) -> None:
        done = {"merged_by": user_id, "merged_at": time.time(), "when_succeeded": None}
        self.change(row, done | facts, state="merged")

    def waiting(self) -> list[Any]:
        """Those that are to be merged when their pipelines have succeeded."""
        columns = t.merge_requests.c
        wanted = (columns.state == "opened") & columns.record.contains('"when_succeeded":{')
        return list(self.database.all(sa.select(t.merge_requests).where(wanted).order_by(columns.id)))

    def pipelines(self, project_id: int, row: Any) -> sa.Select[Any]:
        """A merge request's own pipelines, and its branch's for the commit that it is at."""
        columns = t.pipelines.c
        own = columns.ref == f"refs/merge-requests/{row.iid}/head"
        branch = (columns.ref == row.source_branch) & (columns.sha == row.sha)
        return sa.select(t.pipelines).where(columns.project_id == project_id, own | branch)

    def head_pipeline(self, row: Any) -> Any | None:
        """The newest pipeline of the commit that it is at."""
        newest = self.pipelines(row.project_id, row).order_by(t.pipelines.c.id.desc()).limit(1)
        return self.database.one(newest.where(t.pipelines.c.sha == row.sha))

    def delete(self, project: Any, row: Any) -> None:
        self.database.execute(sa.delete(t.notes).where(t.notes.c.merge_request_id == row.id))
        self.database.execute(sa.delete(t.merge_requests).where(t.merge_requests.c.id == row.id))
        GitCall(Path(project.path), "update-ref", "-d", f"refs/merge-requests/{row.iid}/head").output(missing=b"")


def for_pipelines(row: Any, *, source_protected: bool, target_protected: bool) -> MergeRequest:
    """What a pipeline is told of its merge request."""
    facts = facts_of(row)
    return MergeRequest(
        iid=row.iid,
        id=row.id,
        title=row.title,
        description=facts.description,
        source_branch=row.source_branch,
        target_branch=row.target_branch,
        diff_base_sha=facts.base,
        labels=sorted(facts.labels),
        draft=is_draft(row.title),
        squash=facts.squash,
        source_protected=source_protected,
        target_protected=target_protected,
    )


def _tip(path: Path, branch: str) -> str:
    """The commit of a branch; empty where there is none."""
    out = GitCall(path, "rev-parse", "-q", "--verify", f"refs/heads/{branch}^{{commit}}").output(missing=b"")
    return out.decode().strip()
