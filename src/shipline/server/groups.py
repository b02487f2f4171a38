"""Groups: namespaces that hold projects and other groups; members, variables and runners of a group hold for
everything below it."""

from __future__ import annotations

import re
import time
from typing import Any

import sqlalchemy as sa

from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.database import Database
from shipline.server.permissions import Caller
from shipline.server.prepared import Prepared

GROUP = "group"
PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")

_namespace = Prepared(sa.select(t.namespaces).where(t.namespaces.c.id == sa.bindparam("number")))


class Groups:
    """The groups of this instance."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def find(self, group: str) -> Any | None:
        """A group by its number or its full path, without regard to case."""
        known = sa.func.lower(t.namespaces.c.path) == group.lower()
        if re.fullmatch(r"[0-9]{1,9}", group):
            known = t.namespaces.c.id == int(group)
        return self.database.one(sa.select(t.namespaces).where(known, t.namespaces.c.kind == GROUP))

    def create(
        self,
        path: str,
        name: str,
        creator_id: int,
        parent: Any | None = None,
        description: str | None = None,
        visibility: str = "private",
    ) -> Any:
        """A new group, whose owner is its creator. The full path must be free."""
        now = time.time()
        with self.database.transaction():
            number = self.database.insert(
                t.namespaces,
                path=f"{parent.path}/{path}" if parent is not None else path,
                name=name,
                kind=GROUP,
                owner_id=creator_id,
                created_at=now,
                parent_id=parent.id if parent is not None else None,
                description=description,
                visibility=visibility,
            )
            self.set_member(number, creator_id, may.OWNER)
        return self.namespace(number)

    def namespace(self, number: int | None) -> Any | None:
        """A namespace of either kind."""
        return self.database.first(_namespace, number=number)

    def lineage(self, namespace_id: int | None) -> list[Any]:
        """The groups that a namespace lies in, the outermost first, itself included; none for a person's."""
        line: list[Any] = []
        while namespace_id is not None:
            row = self.namespace(namespace_id)
            if row is None or row.kind != GROUP:
                break
            line.insert(0, row)
            namespace_id = row.parent_id
        return line

    def max_artifacts_size(self, namespace_id: int | None) -> int | None:
        """In MiB, as the closest group says that says something."""
        sizes = [group.max_artifacts_size for group in reversed(self.lineage(namespace_id))]
        return next((size for size in sizes if size is not None), None)

    def below(self, group: Any) -> sa.Select[Any]:
        """The numbers of the group and of all groups in it."""
        inside = t.namespaces.c.path.startswith(f"{group.path}/", autoescape=True)
        return sa.select(t.namespaces.c.id).where((t.namespaces.c.id == group.id) | inside)

    def level(self, namespace_id: int | None, caller: Caller | None) -> int:
        """The caller's access level in a namespace: that of a member of one of its groups, or of its person."""
        if caller is None:
            return may.NO_ACCESS
        if caller.admin and caller.job_id is None:
            return may.ADMIN
        line = self.lineage(namespace_id)
        if not line:
            row = self.namespace(namespace_id)
            return may.OWNER if row is not None and row.owner_id == caller.user_id else may.NO_ACCESS
        highest = sa.select(sa.func.max(t.group_members.c.access_level)).where(
            t.group_members.c.user_id == caller.user_id,
            t.group_members.c.namespace_id.in_([group.id for group in line]),
        )
        return int(self.database.execute(highest).scalar() or may.NO_ACCESS)

    def of_member(self, user_id: int) -> set[int]:
        """The numbers of the namespaces in which a user is at home: their own, their groups and those below."""
        own = sa.select(t.namespaces.c.id).where(t.namespaces.c.owner_id == user_id, t.namespaces.c.kind != GROUP)
        found = {row[0] for row in self.database.all(own)}
        joined = sa.select(t.namespaces).join(t.group_members, t.group_members.c.namespace_id == t.namespaces.c.id)
        for group in self.database.all(joined.where(t.group_members.c.user_id == user_id)):
            found.update(row[0] for row in self.database.all(self.below(group)))
        return found

    def set_member(self, group_id: int, user_id: int, level: int) -> None:
        with self.database.transaction():
            self.remove_member(group_id, user_id)
            values = {"namespace_id": group_id, "user_id": user_id, "access_level": level}
            self.database.execute(sa.insert(t.group_members).values(created_at=time.time(), **values))

    def remove_member(self, group_id: int, user_id: int) -> bool:
        """Whether there was one."""
        known = (t.group_members.c.namespace_id == group_id) & (t.group_members.c.user_id == user_id)
        return bool(self.database.execute(sa.delete(t.group_members).where(known)).rowcount)

    def delete(self, group: Any) -> None:
        """Removes a group without projects, and all groups in it, with what is theirs."""
        numbers = [row[0] for row in self.database.all(self.below(group))]
        with self.database.transaction():
            bots = sa.select(t.users.c.id).where(t.users.c.bot_of_group.in_(numbers))
            doomed = (
                sa.delete(t.tokens).where(t.tokens.c.user_id.in_(bots)),
                sa.delete(t.users).where(t.users.c.bot_of_group.in_(numbers)),
                sa.delete(t.group_members).where(t.group_members.c.namespace_id.in_(numbers)),
                sa.delete(t.runner_groups).where(t.runner_groups.c.namespace_id.in_(numbers)),
                sa.delete(t.variables).where(t.variables.c.project_id.in_([-number for number in numbers])),
                sa.delete(t.namespaces).where(t.namespaces.c.id.in_(numbers)),
            )
            for statement in doomed:
                self.database.execute(statement)
