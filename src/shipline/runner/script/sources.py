"""The get_sources stage: how the commit gets into the job's project folder, as the GIT_* variables want it.

Either from a server over HTTP, or from a bare copy of a repository of this machine that was put beside the builds.
A password in the URL goes to a settings file that is gone when the stage ends: no process argument and no file of
the checkout holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from shipline.runner.executor import Stage
from shipline.runner.job import Job
from shipline.runner.script.submodules import LARGE_FILES, submodules
from shipline.runner.script.text import GREEN, RESET, Program, quote
from shipline.runner.settings import STRATEGIES, flags

NOTHING: Mapping[str, str] = {}
LOCKS = ("index.lock", "shallow.lock", "HEAD.lock", "config.lock", "hooks/post-checkout")
CREATED = ("  fresh=yes", "  printf '%s\\n' 'Created fresh repository.'", "fi")
COPIED = "'+refs/remotes/origin/*:refs/remotes/origin/*' '+refs/tags/*:refs/tags/*'"


class Sources:
    """What a job's variables say about its sources."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.git = job.payload.git_info
        variables = job.variables
        strategy = variables.get("GIT_STRATEGY")
        usual = "fetch" if job.payload.allow_git_fetch else "clone"
        self.strategy = strategy if strategy in STRATEGIES else usual
        self.depth = variables.number("GIT_DEPTH", self.git.depth)
        self.checkout = variables.is_true("GIT_CHECKOUT", True)
        self.submodules = variables.get("GIT_SUBMODULE_STRATEGY", "none") not in ("", "none")
        self.large_files = self.checkout and not variables.is_true("GIT_LFS_SKIP_SMUDGE")
        self.hooks = {hook.name: hook.script for hook in job.payload.hooks if hook.script}

    @property
    def fetches(self) -> bool:
        """False when the project folder is taken as it is."""
        return self.strategy in ("clone", "fetch")

    @property
    def modules(self) -> Literal["", "normal", "recursive"]:
        """Which submodules are asked for."""
        if not (self.fetches and self.checkout and self.submodules):
            return ""
        strategy = self.job.variables.get("GIT_SUBMODULE_STRATEGY")
        return "recursive" if strategy == "recursive" else "normal"

    @property
    def module_depth(self) -> int:
        """How much of their history; 0 is all."""
        return self.job.variables.number("GIT_SUBMODULE_DEPTH", self.depth)

    @property
    def plain(self) -> bool:
        """True for a fresh checkout of one commit, and nothing before or after it."""
        config = self.job.config
        own = config.pre_get_sources_script or config.post_get_sources_script or self.hooks
        return self.fetches and self.checkout and not self.submodules and not own

    def stage(
        self, copy: str | None, modules: Mapping[str, str] = NOTHING, links: Mapping[str, str] = NOTHING
    ) -> Stage:
        """The stage; `copy` is the bare copy's folder, to be taken over, or None to fetch from the URL. `modules`
        are addresses of submodules, and where these can be had in the job's place; `links` are paths to be made
        there, since git looks for a path without asking its settings."""
        program = self.job.begin()
        program.add("export GIT_TERMINAL_PROMPT=0 GIT_LFS_SKIP_SMUDGE=1")
        for path, place in links.items():
            folder = quote(path.rpartition("/")[0] or "/")
            program.add(f"[ -e {quote(path)} ] || {{ mkdir -p {folder}; ln -s {quote(place)} {quote(path)}; }}")
        config = self.job.config
        before = [config.pre_get_sources_script, *self.hooks.get("pre_get_sources_script", [])]
        program.commands(command for command in before if command)
        self._folder(program)
        if self.fetches:
            self._settings(program, local=copy is not None, modules=modules)
            self._fetch(program, copy)
            self._check_out(program)
            program.add(f"rm -f {quote(self._settings_file)}", "unset GIT_CONFIG_GLOBAL")
        after = [*self.hooks.get("post_get_sources_script", []), config.post_get_sources_script]
        program.commands(command for command in after if command)
        return Stage("get_sources", "Getting source from Git repository", program.text())

    @property
    def _settings_file(self) -> str:
        return f"{self.job.places.temporary}/git-settings"

    def _folder(self, program: Program) -> None:
        project = quote(self.job.places.project)
        if self.strategy == "none":
            program.say("Skipping Git repository setup")
        elif self.strategy == "empty":
            program.say("Skipping Git repository setup and creating an empty build directory")
        if self.strategy in ("clone", "empty"):
            program.add(f"rm -rf {project}")
        program.add(f"mkdir -p {project}", f"cd {project}")

    def _settings(self, program: Program, *, local: bool, modules: Mapping[str, str]) -> None:
        lines = [
            "[safe]\n\tdirectory = *",
            "[init]\n\tdefaultBranch = none",
            "[fetch]\n\trecurseSubmodules = false",
            "[gc]\n\tauto = 0\n\tautoDetach = false",
            "[advice]\n\tdetachedHead = false",
            "[include]\n\tpath = ~/.gitconfig",
        ]
        if local:
            lines.append('[protocol "file"]\n\tallow = always')  # for submodules beside the repository
        lines += [f'[url "{_escaped(place)}"]\n\tinsteadOf = "{_escaped(url)}"' for url, place in modules.items()]
        if self.job.variables.is_true("GIT_SUBMODULE_FORCE_HTTPS"):
            lines += self._over_https()
        clean, login = split_login(self.git.repo_url)
        if login:
            import base64

            header = base64.b64encode(login.encode()).decode()
            lines.append(f'[http "{_site(clean)}"]\n\textraHeader = Authorization: Basic {header}')
        if authority := self.job.variables.get("CI_SERVER_TLS_CA_FILE"):
            lines.append(f"[http]\n\tsslCAInfo = {authority}")
        if certificate := self.job.variables.get("CI_SERVER_TLS_CERT_FILE"):
            key = self.job.variables.get("CI_SERVER_TLS_KEY_FILE")
            lines.append(f'[http "{_site(clean)}"]\n\tsslCert = {certificate}\n\tsslKey = {key}')
        name = quote(self._settings_file)
        program.add(f"(umask 077; printf '%s\\n' {quote(chr(10).join(lines))} > {name})")
        program.add(f"export GIT_CONFIG_GLOBAL={name}")

    def _over_https(self) -> list[str]:
        """Settings that lead the server's ssh addresses to its web address, where the job's token counts."""
        base = self.job.variables.get("CI_SERVER_URL").rstrip("/")
        host = self.job.variables.get("CI_SERVER_SHELL_SSH_HOST") or self.job.variables.get("CI_SERVER_HOST")
        port = self.job.variables.get("CI_SERVER_SHELL_SSH_PORT") or "22"
        if not base.startswith(("http://", "https://")) or not host:
            return []
        if port != "22":
            written = {f"ssh://git@{host}:{port}/": f"{base}/"}
        else:
            written = {f"git@{host}:": f"{base}/", f"ssh://git@{host}/": f"{base}/"}
        return [f'[url "{_escaped(to)}"]\n\tinsteadOf = "{_escaped(url)}"' for url, to in written.items()]

    def _fetch(self, program: Program, copy: str | None) -> None:
        clean, _ = split_login(self.git.repo_url)
        locks = " ".join(f".git/{lock}" for lock in LOCKS)
        depth = f" --depth {self.depth}" if self.depth > 0 else ""
        program.say(
            f"{GREEN}Fetching changes{f' with git depth set to {self.depth}' if self.depth > 0 else ''}...{RESET}"
        )
        program.add("fresh=", "if [ -e .git ]; then", f"  rm -f {locks}")
        if copy:
            program.add(
                f"  git remote set-url origin {quote(clean)}",
                f"  git fetch -q --prune{depth} {quote('file://' + copy)} {COPIED}",
                "else",
                f"  mv {quote(copy)} .git",
                '  [ "$(umask)" != 0000 ] || chmod -R a+rwX .git',  # as if git had made it here
                *CREATED,
            )
            return
        program.add(
            f"  git remote set-url origin {quote(clean)}",
            "else",
            "  git init -q --template=",
            f"  git remote add origin {quote(clean)}",
            *CREATED,
        )
        refspecs = " ".join(quote(spec) for spec in self.git.refspecs or self._refspecs())
        unshallow = "" if depth else "if [ -f .git/shallow ]; then set -- --unshallow; else set --; fi; "
        extra = flags(self.job.variables, "GIT_FETCH_EXTRA_FLAGS", "--prune --quiet")
        extra = f" {extra}" if extra else ""
        rest = "" if depth else ' "$@"'
        program.add(f"{unshallow}git fetch origin --no-recurse-submodules{extra}{depth}{rest} {refspecs}")

    def _refspecs(self) -> list[str]:
        if self.git.ref_type == "tag":
            return [f"+refs/tags/{self.git.ref}:refs/tags/{self.git.ref}"]
        return [f"+refs/heads/{self.git.ref}:refs/remotes/origin/{self.git.ref}"]

    def _check_out(self, program: Program) -> None:
        if not self.checkout:
            program.say("Skipping Git checkout")
            return
        program.say(f"{GREEN}Checking out {self.git.sha[:8]} as detached HEAD (ref is {self.git.ref})...{RESET}")
        program.add(f"git -c submodule.recurse=false checkout -f -q --detach {quote(self.git.sha)}")
        clean = flags(self.job.variables, "GIT_CLEAN_FLAGS", "-ffdx")
        if clean:
            program.add(f'if [ -z "$fresh" ]; then git clean -q {clean}; fi')
        if self.large_files:
            program.add(LARGE_FILES)
        if self.submodules:
            submodules(program, self.job.variables, clean, self.module_depth, lfs=self.large_files)
        else:
            program.say("Skipping Git submodules setup")


def split_login(url: str) -> tuple[str, str]:
    """A URL without its user and password, and these two as `user:password` (empty when there is none)."""
    if "@" not in url:
        return url, ""
    from urllib.parse import unquote, urlsplit, urlunsplit

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or "@" not in parts.netloc:
        return url, ""
    user = unquote(parts.username or "")
    password = unquote(parts.password or "")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host)), f"{user}:{password}"


def _site(url: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def _escaped(text: str) -> str:
    """Text inside the quotes of a git setting."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
