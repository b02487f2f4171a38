"""One job as the runner knows it: the payload, its variables as its processes see them, the text of its stages."""

from __future__ import annotations

import functools
import os
import posixpath

import shipline
from shipline.protocol.payload import JobPayload, Step, Variable
from shipline.runner.config import RunnerConfig
from shipline.runner.errors import JobFailed
from shipline.runner.executor import Places, Stage
from shipline.runner.script.entry import BEGINS
from shipline.runner.script.text import Program, quote
from shipline.runner.variables import Variables

CLONE_PATH = "GIT_CLONE_PATH"
CHECK_EACH_COMMAND = "FF_ENABLE_BASH_EXIT_CODE_CHECK"
SCRIPT_SECTIONS = "FF_SCRIPT_SECTIONS"


class Job:
    """`number` tells jobs that run at the same time apart. `status` is what CI_JOB_STATUS says in a stage."""

    def __init__(self, payload: JobPayload, config: RunnerConfig, *, builds: str, number: int = 0) -> None:
        self.payload = payload
        self.config = config
        self.number = number
        self.status = "running"
        project = payload.job_info.project_full_path or payload.job_info.project_name
        self.places = Places(builds, f"{builds}/{project}")
        given = [*_configured(config.environment), *_offered(), *payload.variables]
        self.variables = Variables([*given, *self._own()], self.places.temporary)
        if wanted := self.variables.get(CLONE_PATH):
            self.places = Places(builds, posixpath.normpath(wanted))
            self.variables = Variables([*given, *self._own()], self.places.temporary)

    def check_place(self) -> None:
        """Raises JobFailed where the job asks for a project folder outside of the builds folder."""
        builds, project = self.places.builds, self.places.project
        if not project.startswith(f"{builds.rstrip('/')}/"):
            why = f"{CLONE_PATH} {project!r} has to be within {builds!r} ($CI_BUILDS_DIR)"
            raise JobFailed(why, "runner_configuration_error")

    @property
    def environment_file(self) -> str:
        """What GITLAB_ENV names: lines NAME=VALUE written there are variables of the stages after."""
        return f"{self.places.temporary}/gitlab_runner_env"

    def _own(self) -> list[Variable]:
        image = self.payload.image.name if self.payload.image else self.config.kubernetes.image
        own = {
            "CI_BUILDS_DIR": self.places.builds,
            "CI_PROJECT_DIR": self.places.project,
            "CI_CONCURRENT_ID": str(self.number),
            "CI_CONCURRENT_PROJECT_ID": str(self.number),
            "CI_SERVER": "yes",
            "CI_RUNNER_SHORT_TOKEN": self.config.short_token,
            "CI_JOB_IMAGE": image,
            "RUNNER_TEMP_PROJECT_DIR": self.places.temporary,
            "GITLAB_ENV": self.environment_file,
        }
        return [Variable(key, value, public=True, raw=key != "CI_JOB_IMAGE") for key, value in own.items() if value]

    def secrets(self) -> set[str]:
        """Everything that the log must not show."""
        passwords = {login.password for login in self.payload.credentials}
        return self.variables.masked() | passwords | {self.payload.token}

    def step(self, step: Step) -> Stage:
        """The stage of one of the payload's steps."""
        script = [command for command in step.script if command.strip()]
        if step.name == "after_script":
            return Stage("after_script", "Running after_script", self._program(script, "Running after script..."))
        before, after = self.config.pre_build_script, self.config.post_build_script
        script = [part for part in (before, *script, after) if part]
        name = f"step_{step.name}"
        return Stage(name, f'Executing "{name}" stage of the job script', self._program(script))

    def _program(self, script: list[str], opening: str = "") -> str:
        program = self.begin().add(BEGINS)
        program.add(f"cd {quote(self.places.project)}")
        if opening:
            program.say(f"\x1b[32;1m{opening}\x1b[0;m")
        check, sections = (self.variables.is_true(flag) for flag in (CHECK_EACH_COMMAND, SCRIPT_SECTIONS))
        return program.commands(script, check=check, sections=sections).text()

    def begin(self) -> Program:
        """A program that has the job's variables and files."""
        program = Program(trace=self.variables.is_true("CI_DEBUG_TRACE"))
        temporary = quote(self.places.temporary)
        program.add(f"[ -d {temporary} ] || mkdir -p {temporary}")
        program.export(self.variables.exports() | {"CI_JOB_STATUS": self.status})
        program.write_files(self.places.temporary, self.variables.files())
        return program.read_environment(self.environment_file)


def _configured(environment: list[str]) -> list[Variable]:
    """The configuration's `environment = ["NAME=value"]`: for everybody to see, and overridden by the job's own."""
    pairs = (entry.partition("=") for entry in environment)
    return [Variable(name, value, public=True) for name, equals, value in pairs if equals]


@functools.cache
def _offered() -> tuple[Variable, ...]:
    """What a coordinator may say better."""
    machine = os.uname().machine
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    offered = {
        "CI": "true",
        "CI_RUNNER_VERSION": shipline.__version__,
        "CI_RUNNER_REVISION": f"v{shipline.__version__}",
        "CI_RUNNER_EXECUTABLE_ARCH": f"linux/{machine}",
    }
    return tuple(Variable(key, value, public=True, raw=True) for key, value in offered.items())
