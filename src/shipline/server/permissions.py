"""Who may do what: GitLab's access levels, and what a token's scopes open."""

from __future__ import annotations

from typing import Any

import msgspec

NO_ACCESS = 0
GUEST = 10
REPORTER = 20
DEVELOPER = 30
MAINTAINER = 40
OWNER = 50
ADMIN = 60

SCOPES = (
    "api",
    "read_api",
    "read_user",
    "create_runner",
    "manage_runner",
    "read_repository",
    "write_repository",
    "read_registry",
    "write_registry",
    "sudo",
)
"""The scopes that a personal access token may have here."""
READING = ("GET", "HEAD")


class Caller(msgspec.Struct, frozen=True):
    """Who asks. `scopes` None: all (a password). `job_id` and `project_id`: the token is that job's. `machine`: it
    is a deploy token, of that project, and stands for nobody."""

    user_id: int
    username: str
    name: str
    email: str
    admin: bool = False
    scopes: frozenset[str] | None = None
    token_id: int | None = None
    job_id: int | None = None
    project_id: int | None = None
    machine: bool = False

    @property
    def person(self) -> bool:
        """Whether somebody asks in their own name, not by a token that is tied to a project."""
        return self.job_id is None and not self.machine

    def has(self, *scopes: str) -> bool:
        """Whether the token has one of the scopes."""
        return self.scopes is None or bool(self.scopes.intersection(scopes))


def visible_to_all(project: Any, caller: Caller | None) -> bool:
    """Whether the project's visibility alone lets somebody read it."""
    known = caller is not None and (caller.person or caller.project_id == project.id)
    return project.visibility == "public" or (project.visibility == "internal" and known)


def useful_scopes(method: str, path: str) -> tuple[str, ...]:
    """The scopes of which a token needs one for a call of the REST API; `path` is the one after /api/v4."""
    scopes = ["api"]
    if method in READING:
        scopes.append("read_api")
        if path.startswith(("/user", "/version", "/metadata")):
            scopes.append("read_user")
        if "/repository/" in path:
            scopes.append("read_repository")
    if method == "POST" and path == "/user/runners":
        scopes.append("create_runner")
    if path.startswith("/runners/"):
        scopes.append("manage_runner")
    return tuple(scopes)
