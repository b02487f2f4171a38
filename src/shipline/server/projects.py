"""Projects: a bare repository each, with a path, a visibility, members and protected refs."""

from __future__ import annotations

import re
import shutil
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from shipline.engine.git import git
from shipline.engine.repository import Repository
from shipline.server import permissions as may
from shipline.server import tables as t
from shipline.server.database import Database
from shipline.server.groups import Groups
from shipline.server.large_files import LargeFiles
from shipline.server.permissions import Caller
from shipline.server.prepared import Prepared
from shipline.server.project_settings import settings_of

PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
RESERVED_END = (".git", ".atom", ".lock")
DEFAULT_BRANCH = "main"
LONGEST_PATH = 1000

_by_id = Prepared(
    sa.select(t.projects).where(t.projects.c.id == sa.bindparam("number"), t.projects.c.full_path.is_not(None))
)
_by_path = Prepared(sa.select(t.projects).where(t.projects.c.full_path == sa.bindparam("path")))
_member = Prepared(
    sa.select(t.members.c.access_level).where(
        t.members.c.project_id == sa.bindparam("project"), t.members.c.user_id == sa.bindparam("user")
    )
)


class Refused(Exception):
    """A project that cannot be made; the text says why."""


class Projects:
    """The projects of this instance; `home` holds their repositories."""

    def __init__(self, database: Database, home: Path) -> None:
        self.database = database
        self.home = home
        self.groups = Groups(database)

    def find(self, project: str) -> Any | None:
        """A project by its number or its full path (`group/app`, without regard to case)."""
        if re.fullmatch(r"[0-9]+", project):
            return self.by_id(int(project)) if len(project) < 10 else None
        if len(project) > LONGEST_PATH or "\0" in project:
            return None
        found = self.database.first(_by_path, path=project)
        known = sa.func.lower(t.projects.c.full_path) == project.lower()
        return found if found is not None else self.database.one(sa.select(t.projects).where(known))

    def by_id(self, project_id: int) -> Any | None:
        return self.database.first(_by_id, number=project_id)

    def namespace(self, path: str) -> Any | None:
        return self.database.one(sa.select(t.namespaces).where(sa.func.lower(t.namespaces.c.path) == path.lower()))

    def create(
        self,
        namespace: Any,
        path: str,
        creator_id: int,
        *,
        name: str = "",
        description: str | None = None,
        visibility: str = "private",
        default_branch: str = "",
    ) -> Any:
        """A new project with an empty repository. Raises Refused."""
        if not PATH.match(path) or path.endswith(RESERVED_END):
            raise Refused(
                "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-' or end in '.git'."
            )
        now = time.time()
        full_path = f"{namespace.path}/{path}"
        branch = default_branch or DEFAULT_BRANCH
        with self.database.transaction():
            if self.find(full_path):
                raise Refused("has already been taken")
            number = self.database.insert(
                t.projects,
                path=f"new {full_path}",
                full_path=full_path,
                namespace_id=namespace.id,
                name=name or path,
                description=description,
                visibility=visibility,
                default_branch=branch,
                creator_id=creator_id,
                created_at=now,
                last_activity_at=now,
                build_timeout=3600,
                git_depth=20,
                shared_runners=True,
                archived=False,
            )
            repository = self.home / f"{number}.git"
            self.update(number, path=str(repository))
            self.protect(number, "branch", branch)
            git(self.home, "init", "--quiet", "--bare", "--template=", "-b", branch, str(repository))
            git(repository, "config", "receive.advertisePushOptions", "true")
            git(repository, "config", "uploadpack.allowFilter", "true")
        return self.by_id(number)

    def fork(self, source: Any, namespace: Any, path: str, creator_id: int, **more: Any) -> Any:
        """A new project with the branches and tags of another. Raises Refused."""
        made = self.create(namespace, path, creator_id, default_branch=source.default_branch, **more)
        refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
        git(Path(made.path), "fetch", "--quiet", "--no-tags", "--no-auto-maintenance", source.path, *refs)
        LargeFiles(Path(source.path)).share(Path(made.path))
        taken = {name: getattr(source, name) for name in ("config_path", "build_timeout", "git_depth", "settings")}
        self.update(made.id, forked_from=source.id, **taken)
        return self.by_id(made.id)

    def update(self, project_id: int, **values: Any) -> None:
        self.database.execute(sa.update(t.projects).where(t.projects.c.id == project_id).values(**values))

    def set_default_branch(self, project: Any, branch: str) -> None:
        """Changes the default branch, which HEAD of the repository names."""
        git(Path(project.path), "symbolic-ref", "HEAD", f"refs/heads/{branch}")
        self.update(project.id, default_branch=branch)

    def delete(self, project: Any) -> None:
        """Removes the project and everything that belongs to it."""
        with self.database.transaction():
            of_project = sa.select(t.jobs.c.id).where(t.jobs.c.project_id == project.id)
            for table in (t.assignments, t.artifacts):
                self.database.execute(sa.delete(table).where(table.c.job_id.in_(of_project)))
            requests = sa.select(t.merge_requests.c.id).where(t.merge_requests.c.project_id == project.id)
            self.database.execute(sa.delete(t.notes).where(t.notes.c.merge_request_id.in_(requests)))
            bots = sa.select(t.users.c.id).where(t.users.c.bot_of_project == project.id)
            self.database.execute(sa.delete(t.tokens).where(t.tokens.c.user_id.in_(bots)))
            self.database.execute(sa.delete(t.users).where(t.users.c.bot_of_project == project.id))
            for table in t.metadata.sorted_tables:
                if "project_id" in table.c:
                    self.database.execute(sa.delete(table).where(table.c.project_id == project.id))
            self.database.execute(sa.delete(t.projects).where(t.projects.c.id == project.id))
        shutil.rmtree(project.path, ignore_errors=True)

    def repository(self, project: Any, url: str) -> Repository:
        """The repository as the engine reads it; to be closed."""
        origin = {"remote.origin.url": f"{url}/{project.full_path}.git"}
        head = f"refs/heads/{project.default_branch}"
        return Repository(Path(project.path), head, origin, project.default_branch)

    def level(self, project: Any, caller: Caller | None) -> int:
        """The caller's access level in the project; 0 for somebody who is nobody there."""
        if caller is None:
            return may.NO_ACCESS
        foreign = not caller.person and caller.project_id != project.id
        if foreign and (caller.machine or not self.lets_in(project, caller.project_id or 0)):
            return may.NO_ACCESS
        if caller.machine:
            return may.DEVELOPER if caller.has("write_registry") else may.REPORTER
        if caller.admin:
            return may.ADMIN if caller.person else may.OWNER
        found = self.database.first(_member, project=project.id, user=caller.user_id)
        own = int(found[0]) if found else may.NO_ACCESS
        return max(own, self.groups.level(project.namespace_id, caller))

    def lets_in(self, project: Any, other_id: int) -> bool:
        """Whether the jobs of another project may use their tokens in this one."""
        if not settings_of(project).inbound_job_tokens:
            return True
        targets = t.job_token_targets.c
        known = (targets.project_id == project.id) & (targets.target_project_id == other_id)
        return self.database.one(sa.select(targets.project_id).where(known)) is not None

    def readable(self, caller: Caller | None) -> sa.ColumnElement[bool]:
        """The condition under which somebody may see a project."""
        named = t.projects.c.full_path.is_not(None)
        if caller is None:
            return named & (t.projects.c.visibility == "public")
        if caller.admin:
            return named
        return named & (t.projects.c.visibility.in_(("public", "internal")) | self.joined(caller))

    def joined(self, caller: Caller) -> sa.ColumnElement[bool]:
        """The condition under which somebody is a member of a project, by itself or by a group."""
        member = sa.select(t.members.c.project_id).where(t.members.c.user_id == caller.user_id)
        home = self.groups.of_member(caller.user_id)
        return t.projects.c.id.in_(member) | t.projects.c.namespace_id.in_(sorted(home))

    def protect(
        self,
        project_id: int,
        kind: str,
        name: str,
        push_level: int = may.MAINTAINER,
        merge_level: int = may.MAINTAINER,
        allow_force_push: bool = False,
    ) -> int:
        """Protects the branches or tags of a name, in which `*` stands for anything."""
        return self.database.insert(
            t.protected_refs,
            project_id=project_id,
            kind=kind,
            name=name,
            push_level=push_level,
            merge_level=merge_level,
            allow_force_push=allow_force_push,
        )

    def protection(self, project_id: int, kind: str, name: str) -> list[Any]:
        """The rules that protect a branch or tag; none: it is not protected."""
        rules = sa.select(t.protected_refs).where(
            t.protected_refs.c.project_id == project_id, t.protected_refs.c.kind == kind
        )
        return [rule for rule in self.database.all(rules) if fnmatchcase(name, _literal_but_star(rule.name))]

    def may_push(self, project: Any, caller: Caller | None, kind: str, name: str) -> bool:
        """Whether the caller may change a branch or tag."""
        level = self.level(project, caller)
        rules = self.protection(project.id, kind, name)
        needed = min((rule.push_level or may.ADMIN + 1 for rule in rules), default=may.DEVELOPER)
        return level >= max(needed, may.DEVELOPER)

    def may_merge(self, project: Any, caller: Caller | None, branch: str) -> bool:
        """Whether the caller may merge into a branch."""
        rules = self.protection(project.id, "branch", branch)
        needed = min((rule.merge_level or may.ADMIN + 1 for rule in rules), default=may.DEVELOPER)
        return self.level(project, caller) >= max(needed, may.DEVELOPER)

    def may_run(self, project: Any, caller: Caller | None, kind: str, name: str) -> bool:
        """Whether the caller may start, stop and repeat pipelines and jobs of a branch or tag: who may push or
        merge there may."""
        rules = self.protection(project.id, kind, name)
        allowed = [level for rule in rules for level in (rule.push_level, rule.merge_level) if level]
        needed = min(allowed, default=may.ADMIN + 1 if rules else may.DEVELOPER)
        return self.level(project, caller) >= max(needed, may.DEVELOPER)


def _literal_but_star(pattern: str) -> str:
    return re.sub(r"([?\[\]])", r"[\1]", pattern)
