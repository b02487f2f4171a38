"""A git repository on this machine, as a pipeline sees it: where it is, what it is called, what a ref means.

The user's working tree, index, refs and settings are only ever read. A pipeline of uncommitted changes gets a
commit object of its own that no ref names (`snapshot`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec

from shipline.engine.errors import EngineError
from shipline.engine.git import GitCall, GitError, Object, Objects, git
from shipline.engine.records import Commit

NO_SHA = "0" * 40
_SIGNATURE = re.compile(r"(?P<who>.*) (?P<when>\d+) (?P<zone>[+-]\d{4})\Z")
_ORIGIN = re.compile(r"(?:[a-z+]+://)?(?:[^@/]*@)?(?P<host>[^:/]+)(?::\d+)?[:/](?P<path>.+?)(?:\.git)?/?\Z")
_NO_GITLAB = ("github.com", "bitbucket.org", "codeberg.org", "localhost")
LOCALHOST = "http://localhost"
_SERVER = re.compile(
    r"(?:(?P<scheme>https?|ssh|git|git\+ssh)://(?:[^@/]*@)?|(?:[^@/:]+@))(?P<host>[\w.-]+)(?P<port>:\d+)?(?=[:/])"
)


class Repository:
    """One repository. `path`: its top directory (of a bare one, the repository itself). `head`: the full name of
    the branch that is checked out, or `HEAD` when none is."""

    def __init__(
        self,
        path: Path,
        head: str,
        settings: dict[str, str],
        default_branch: str,
        objects: Objects | None = None,
    ) -> None:
        self.path = path
        self.head = head
        self.settings = settings
        self.default_branch = default_branch
        self.objects = objects or Objects(path)

    @classmethod
    def find(cls, directory: Path) -> Repository:
        """The repository that `directory` is in. Raises EngineError when there is none, or no commit."""
        return cls.search(directory)()

    @classmethod
    def search(cls, directory: Path) -> Callable[[], Repository]:
        """Begins to find the repository and returns at once; the function that it gives waits for the answer."""
        top = GitCall(directory, "rev-parse", "--show-toplevel")
        head = GitCall(directory, "symbolic-ref", "-q", "HEAD")
        wanted = r"^(remote\.origin\.url|init\.defaultbranch|user\.(name|email))$"
        settings = GitCall(directory, "config", "--null", "--get-regexp", wanted)
        tips = GitCall(
            directory,
            "for-each-ref",
            "--format=%(refname) %(symref)",
            "refs/heads/main",
            "refs/heads/master",
            "refs/remotes/origin/HEAD",
        )
        objects = Objects(directory)
        objects.begin()

        def found() -> Repository:
            try:
                path = _top(directory, top)
            except EngineError:
                for call in (head, settings, tips):
                    call.output(missing=b"")
                objects.close()
                raise
            named = _settings(settings.output(missing=b"").decode(errors="replace"))
            branch = head.output(missing=b"HEAD").decode().strip()
            default = _default_branch(tips.output(missing=b"").decode(), named.get("init.defaultbranch"), branch)
            return cls(path, branch, named, default, objects)

        return found

    @property
    def is_bare(self) -> bool:
        """Whether there is no working tree."""
        return not (self.path / ".git").exists()

    @property
    def url(self) -> str:
        """Where a runner gets the commit."""
        return self.path.as_uri()

    @property
    def project_path(self) -> str:
        """`group/project`: that of the remote `origin`, else `local/<directory>`."""
        origin = self._origin()
        if origin and "/" in origin["path"].strip("/"):
            return origin["path"].strip("/")
        return f"local/{self.name}"

    @property
    def server_url(self) -> str:
        """The server that the remote `origin` is on, for rules that ask where they are; localhost where there is
        none, or it is known to be no GitLab."""
        found = _SERVER.match(self.settings.get("remote.origin.url", ""))
        if found is None or found["host"] in _NO_GITLAB:
            return LOCALHOST
        web = found["scheme"] in ("http", "https")
        return f"{found['scheme']}://{found['host']}{found['port'] or ''}" if web else f"https://{found['host']}"

    @property
    def registry(self) -> str:
        """The container registry of the server that `origin` is on, where it is known without asking."""
        return "registry.gitlab.com" if self.server_url == "https://gitlab.com" else ""

    def facts(self) -> dict[str, Any]:
        """What a configuration may ask about the project, its server and its user, by the context's names."""
        login = _login()
        return {
            "project_path": self.project_path,
            "project_name": self.project_path.rpartition("/")[2],
            "project_url": f"{self.server_url}/{self.project_path}",
            "server_url": self.server_url,
            "registry": self.registry,
            "user_login": login,
            "user_name": self.settings.get("user.name", login),
            "user_email": self.settings.get("user.email", f"{login}@localhost"),
        }

    @property
    def name(self) -> str:
        """The directory's name, with what no project's name may hold replaced."""
        return re.sub(r"[^0-9A-Za-z_.-]+", "-", self.path.name.removesuffix(".git")).strip("-.") or "project"

    def _origin(self) -> re.Match[str] | None:
        return _ORIGIN.match(self.settings.get("remote.origin.url", ""))

    def commit(self, ref: str | None = None) -> Commit:
        """The commit that a branch, tag or commit id means; by default what is checked out."""
        full = self.head if ref is None else self._full_name(ref)
        found = self.objects.read(f"{full}^{{commit}}")
        if found is None:
            if ref is None:
                raise EngineError(
                    f"{self.path} has no commit yet. A pipeline runs for a commit: git add -A && git commit. "
                    "Or use --dirty to run with what is there."
                )
            raise EngineError(f"{self.path}: there is no branch, tag or commit '{ref}'.")
        tag = full.removeprefix("refs/tags/") if full.startswith("refs/tags/") else None
        branch = full.removeprefix("refs/heads/") if full.startswith("refs/heads/") else self._branch_of(found.sha)
        commit = self._facts(found, ref=tag or branch, is_tag=tag is not None)
        return commit if tag is None else _with_tag_message(commit, self.objects.read(full))

    def snapshot(self) -> Commit:
        """A commit of the working tree as it is, uncommitted and untracked files included (ignored ones not);
        the checked out commit itself where nothing differs."""
        import tempfile

        if self.is_bare:
            raise EngineError(f"{self.path} is a bare repository: it has no working tree. Leave --dirty out.")
        head = self.commit() if self.objects.read(f"{self.head}^{{commit}}") else None
        with tempfile.TemporaryDirectory() as scratch:
            index = Path(scratch) / "index"
            own = self.path / git(self.path, "rev-parse", "--git-path", "index")
            if own.exists():
                index.write_bytes(own.read_bytes())
            environment = {"GIT_INDEX_FILE": str(index)}
            git(self.path, "add", "--all", ".", environment=environment)
            tree = git(self.path, "write-tree", environment=environment)
        if head is not None and tree == git(self.path, "rev-parse", f"{head.sha}^{{tree}}"):
            return head
        names = {
            f"GIT_{role}_{field}": value
            for role in ("AUTHOR", "COMMITTER")
            for field, value in (
                ("NAME", self.settings.get("user.name", "shipline")),
                ("EMAIL", self.settings.get("user.email", "shipline@localhost")),
            )
        }
        message = "Uncommitted changes"
        parents = ["-p", head.sha] if head else []
        sha = git(self.path, "commit-tree", tree, *parents, "-m", message, environment=names)
        commit = self.objects.read(sha)
        assert commit is not None, "it has just been made"
        ref = head.ref if head else self.head.removeprefix("refs/heads/")
        return self._facts(commit, ref=ref, is_tag=False, dirty=True)

    def changed(self, commit: Commit) -> list[str] | None:
        """The paths that differ from the commit's first parent; None when it has none, and for a tag."""
        if commit.is_tag or commit.before_sha == NO_SHA:
            return None
        return self.differing(commit.before_sha, commit.sha)

    def differing(self, old: str, new: str) -> list[str] | None:
        """The paths in which two commits differ; None when one of them is unknown."""
        call = GitCall(self.path, "diff-tree", "-r", "--name-only", "--no-renames", "-z", old, new, "--")
        out = call.output(missing=b"\0")
        return None if out == b"\0" else _paths(out)

    def files(self, sha: str) -> list[str]:
        """All files of a commit."""
        return _paths(GitCall(self.path, "ls-tree", "-r", "--name-only", "-z", sha).output())

    def read(self, sha: str, path: str) -> str | None:
        """A file of a commit as text; None when there is no such file."""
        found = self.objects.read(f"{sha}:{path}")
        if found is None or found.kind != "blob":
            return None
        return found.content.decode("utf-8-sig", errors="replace")

    def close(self) -> None:
        self.objects.close()

    def _full_name(self, ref: str) -> str:
        """`refs/heads/...`, `refs/tags/...`, or the commit's id."""
        for prefix in ("refs/heads/", "refs/tags/"):
            name = ref if ref.startswith(prefix) else prefix + ref
            if self.objects.read(name) is not None:
                return name
        found = GitCall(self.path, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").output(missing=b"")
        if not found:
            raise EngineError(f"{self.path}: there is no branch, tag or commit '{ref}'.")
        return found.decode().strip()

    def _branch_of(self, sha: str) -> str:
        """The branch of a commit given by its id: the one checked out or the default branch where they hold it,
        else any that does."""
        listed = git(self.path, "for-each-ref", "--format=%(refname:short)", "--contains", sha, "refs/heads")
        branches = listed.split()
        preferred = (self.head.removeprefix("refs/heads/"), self.default_branch, *branches)
        return next((branch for branch in preferred if branch in branches), self.default_branch)

    def _facts(self, commit: Object, *, ref: str, is_tag: bool, dirty: bool = False) -> Commit:
        head, _, message = commit.content.decode("utf-8", errors="replace").partition("\n\n")
        lines = [line.partition(" ") for line in head.split("\n")]
        parents = [value for key, _, value in lines if key == "parent"]
        author = next(value for key, _, value in lines if key == "author")
        signature = _SIGNATURE.match(author)
        assert signature is not None, "git writes every author so"
        return Commit(
            sha=commit.sha,
            before_sha=parents[0] if parents and not is_tag else NO_SHA,
            ref=ref,
            is_tag=is_tag,
            message=message,
            author=signature["who"],
            timestamp=_iso8601(int(signature["when"]), signature["zone"]),
            default_branch=self.default_branch,
            dirty=dirty,
        )


def _top(directory: Path, top: GitCall) -> Path:
    """The repository's top directory, from the answer of `rev-parse --show-toplevel`. Raises EngineError."""
    try:
        return Path(top.output().decode().rstrip("\n"))
    except GitError as error:
        if "must be run in a work tree" in error.stderr:
            return Path(git(directory, "rev-parse", "--absolute-git-dir"))
        if "dubious ownership" in error.stderr:
            raise EngineError(
                f"{directory}: git does not trust this repository, since another user owns it. If you do: "
                f"git config --global --add safe.directory {directory}"
            ) from None
        raise EngineError(
            f"{directory} is not in a git repository. A pipeline runs for a commit: "
            "git init && git add -A && git commit"
        ) from None


def _with_tag_message(commit: Commit, tag: Object | None) -> Commit:
    if tag is None or tag.kind != "tag":
        return commit
    message = tag.content.decode("utf-8", errors="replace").partition("\n\n")[2]
    return msgspec.structs.replace(commit, tag_message=message)


def _settings(text: str) -> dict[str, str]:
    pairs = (entry.partition("\n") for entry in text.split("\0") if entry)
    return {key: value for key, _, value in pairs}


def _default_branch(refs: str, configured: str | None, head: str) -> str:
    """What `origin` calls its default; else `main` or `master`, whichever is there; else what is checked out."""
    known = dict(line.split(" ", 1) for line in refs.splitlines())
    if target := known.get("refs/remotes/origin/HEAD"):
        return target.removeprefix("refs/remotes/origin/")
    for branch in ("main", "master"):
        if f"refs/heads/{branch}" in known:
            return branch
    return head.removeprefix("refs/heads/") if head != "HEAD" else configured or "main"


def _iso8601(seconds: int, zone: str) -> str:
    minutes = int(zone[1:3]) * 60 + int(zone[3:5])
    offset = timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes))
    return datetime.fromtimestamp(seconds, offset).isoformat(timespec="seconds")


def _paths(out: bytes) -> list[str]:
    return [path.decode("utf-8", errors="replace") for path in out.split(b"\0") if path]


def _login() -> str:
    import pwd

    try:
        return os.environ.get("LOGNAME") or os.environ.get("USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return "user"
