"""The stages with which functions run in the job's place: find a definition, fetch a repository, run a command.

Each is given a number; the files that it leaves for the runner are called after it, in a folder of their own beside
the project.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from shipline.runner.executor import Executor, Stage
from shipline.runner.files.members import Entry, FilesError, Member
from shipline.runner.functions.errors import FunctionError
from shipline.runner.functions.reference import Folder, Repository
from shipline.runner.job import Job
from shipline.runner.script.entry import BEGINS
from shipline.runner.script.sources import split_login
from shipline.runner.script.text import Program, quote

LARGEST = 1 << 20  # bytes of a definition, or of what a function gives back
NOT_THERE = 44  # exit status of a stage that found no definition


class Stages:
    """Makes the stages of one job's functions, and reads what they leave."""

    def __init__(self, job: Job, executor: Executor) -> None:
        self._job = job
        self._executor = executor
        self._folder = f"{job.places.temporary}/functions"
        self._number = 0

    def path(self, name: str) -> str:
        """A file that stages leave for the runner."""
        return f"{self._folder}/{name}"

    def next(self) -> int:
        self._number += 1
        return self._number

    def run(self, number: int, env: Mapping[str, str], folder: str, *lines: str, leaves: Iterable[str]) -> Stage:
        """Lines of shell in a folder, with more variables; the files that it may write to are there, and empty."""
        program = self._begin().export(env)
        program.add(*(f": > {quote(self.path(name))}" for name in leaves), f"cd {quote(folder)}", *lines)
        return self._stage(number, program)

    def look(self, number: int, base: str, folder: Folder) -> Stage:
        """Takes the definition's text, and the folder that it is in, out of the job's place: `N.yml`, `N.dir`."""
        text, place = quote(self.path(f"{number}.yml")), quote(self.path(f"{number}.dir"))
        program = self._begin().add(f"cd {quote(base)}", f"cd -- {quote(folder.path)} || exit {NOT_THERE}")
        for name in folder.files:
            file = quote(f"./{name}")
            program.add(f"if [ -f {file} ]; then cat {file} > {text}; pwd > {place}; exit 0; fi")
        return self._stage(number, program.add(f"exit {NOT_THERE}"))

    def environment(self, number: int) -> Stage:
        """The job's environment as `N.env`."""
        file = quote(self.path(f"{number}.env"))
        return self._stage(number, self._begin().add(f"{{ env -0 2>/dev/null || env | tr '\\n' '\\0'; }} > {file}"))

    def fetch(self, number: int, repository: Repository) -> tuple[Stage, str]:
        """Fetches the repository where git is; gives its folder too."""
        address, login = split_login(repository.url)
        name = hashlib.sha256(f"{repository.url}\0{repository.revision}".encode()).hexdigest()[:16]
        folder = f"{self._job.places.temporary}/functions-{name}"
        url, revision = quote(address), quote(repository.revision)
        program = self._job.begin().add("export GIT_TERMINAL_PROMPT=0 GIT_ADVICE=0", f"mkdir -p {quote(folder)}")
        program.add(f"cd {quote(folder)}")
        settings = self._settings(address, login)
        if settings:
            file = quote(f"{folder}.gitconfig")
            program.add(f"(umask 077; printf %s {quote(settings)} > {file})", f"trap 'rm -f {file}' EXIT")
            program.add(f"export GIT_CONFIG_GLOBAL={file}")
        every = "'+refs/heads/*:refs/remotes/origin/*' '+refs/tags/*:refs/tags/*'"
        program.add(
            "git init -q --template=",
            f"if git fetch -q --depth 1 {url} {revision} 2>/dev/null; then revision=FETCH_HEAD",
            f"else git fetch -q {url} {every}; revision={revision}; fi",
            'git checkout -q --detach "$revision"',
        )
        return Stage(f"fetch_function_{number}", "", program.text()), folder

    def _settings(self, address: str, login: str) -> str:
        import base64

        lines = []
        if login:
            site = "/".join(address.split("/")[:3])
            header = base64.b64encode(login.encode()).decode()
            lines.append(f'[http "{site}/"]\n\textraHeader = Authorization: Basic {header}\n')
        if authority := self._job.variables.get("CI_SERVER_TLS_CA_FILE"):
            lines.append(f"[http]\n\tsslCAInfo = {authority}\n")
        return "".join(lines)

    async def read(self, *names: str) -> list[str]:
        """The texts of files that a stage left. Raises FunctionError."""
        entries = [Entry(name, "file") for name in names]

        def take(members: Iterable[Member]) -> dict[str, bytes]:
            return {each.path: each.content.read(LARGEST + 1) for each in members if each.content is not None}

        try:
            found = await self._executor.files(self._folder).read(entries, take)
        except FilesError as error:
            raise FunctionError(f"what it wrote cannot be read: {error}") from None
        if any(len(data) > LARGEST for data in found.values()):
            raise FunctionError(f"it wrote more than {LARGEST} bytes")
        return [found.get(name, b"").decode(errors="replace") for name in names]

    def _begin(self) -> Program:
        program = self._job.begin().add(BEGINS)
        return program.add(f"mkdir -p {quote(self._folder)}", f"cd {quote(self._job.places.project)}")

    def _stage(self, number: int, program: Program) -> Stage:
        return Stage(f"step_run_{number}", "", program.text())
