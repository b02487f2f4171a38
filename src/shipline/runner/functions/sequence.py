"""Steps one after the other: expressions are worked out, the step runs, and what it gives is there for the next."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from shipline.runner.errors import JobFailed
from shipline.runner.executor import Executor, Stage
from shipline.runner.functions import definition as definitions
from shipline.runner.functions.definition import Definition, given, written_values
from shipline.runner.functions.errors import FunctionError
from shipline.runner.functions.reference import Folder, Repository, reference
from shipline.runner.functions.stages import NOT_THERE, Stages
from shipline.runner.job import Job
from shipline.runner.moa.evaluation import expanded, filled
from shipline.runner.moa.syntax import MoaError
from shipline.runner.moa.values import as_text
from shipline.runner.script.text import quote
from shipline.runner.trace.trace import Trace

DEEPEST = 20  # functions that call functions
Runs = Callable[[Stage, bool], Awaitable[int]]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ASKS_ENVIRONMENT = re.compile(r"\$\{\{.*\benv\b", re.DOTALL)


class Scope(msgspec.Struct):
    """What one list of steps sees: its function's inputs and folder, variables set for it, its steps' outputs."""

    folder: str
    inputs: dict[str, Any] = {}
    env: dict[str, str] = {}
    results: dict[str, dict[str, Any]] = {}
    depth: int = 0


class Functions:
    """Runs a job's steps. `run` runs a stage, beside the job where the second argument says so, and gives its exit
    status; it raises JobFailed where the job is over."""

    def __init__(self, job: Job, executor: Executor, trace: Trace, run: Runs) -> None:
        self._job = job
        self._executor = executor
        self._trace = trace
        self._run = run
        self._stages = Stages(job, executor)
        self._exported: dict[str, str] = {}
        self._environment: dict[str, str] | None = None
        self._fetched: dict[Repository, str] = {}

    async def run(self, steps: str) -> None:
        """Runs the steps, a JSON text. Raises JobFailed."""
        try:
            written = definitions.steps(msgspec.json.decode(steps))
            await self._steps(written, Scope(self._job.places.project, results={}))
        except (FunctionError, MoaError) as error:
            raise JobFailed(str(error), "script_failure") from None
        except (msgspec.DecodeError, RecursionError) as error:
            raise JobFailed(f"the steps cannot be read: {error}", "script_failure") from None

    async def _steps(self, steps: list[dict[str, Any]], scope: Scope) -> None:
        for step in steps:
            name = str(step.get("name") or "")
            self._trace.line(f"Running step name={name}")
            try:
                if _ASKS_ENVIRONMENT.search(str(step)):
                    await self._know_environment()
                context = self._context(scope)
                env = scope.env | _strings(filled(step.get("env") or {}, context))
                if "script" in step:
                    outputs = await self._script(str(step["script"]), scope, env)
                else:
                    outputs = await self._function(step, scope, env, context)
            except (FunctionError, MoaError) as error:
                raise FunctionError(f"step {name!r}: {error}") from None
            scope.results[name] = {"outputs": outputs}

    async def _script(self, script: str, scope: Scope, env: dict[str, str]) -> dict[str, Any]:
        number = self._stages.next()
        files = _files(number)
        text = expanded(script, self._context(scope, number))
        await self._command(self._stages.run(number, self._exported | env, self._work_dir, text, leaves=files))
        await self._take_exports((await self._stages.read(files[1]))[0])
        return {}

    async def _function(
        self, step: dict[str, Any], scope: Scope, env: dict[str, str], context: dict[str, Any]
    ) -> dict[str, Any]:
        if scope.depth == DEEPEST:
            raise FunctionError(f"functions call each other {DEEPEST} levels deep")
        where = reference(filled(step.get("func", step.get("step")), context))
        found, folder = await self._found(where, scope.folder)
        inputs = given(found.inputs, filled(step.get("inputs") or {}, context), "input")
        inside = Scope(folder, inputs, env, {}, scope.depth + 1)
        if _ASKS_ENVIRONMENT.search(str([found.env, found.command, found.work_dir, found.results])):
            await self._know_environment()
        inside.env = env | _strings(filled(found.env, self._context(inside)))
        return await (self._execute(found, inside) if found.command else self._call(found, inside))

    async def _execute(self, found: Definition, scope: Scope) -> dict[str, Any]:
        number = self._stages.next()
        files = _files(number)
        context = self._context(scope, number)
        command = " ".join(quote(expanded(word, context)) for word in found.command)
        folder = expanded(found.work_dir, context) or self._work_dir
        env = self._exported | scope.env
        await self._command(self._stages.run(number, env, folder, f"exec {command}", leaves=files))
        written, exports = await self._stages.read(*files)
        await self._take_exports(exports)
        if found.outputs is not None:
            return given(found.outputs, written_values(written), "output")
        try:
            outputs = msgspec.json.decode(written)["outputs"]
        except (msgspec.DecodeError, LookupError, TypeError):
            outputs = None
        if not isinstance(outputs, dict):
            raise FunctionError(
                "its outputs are delegated: it writes a step's result, a JSON object with `outputs`"
            )
        return outputs

    async def _call(self, found: Definition, scope: Scope) -> dict[str, Any]:
        await self._steps(found.steps, scope)
        if found.outputs is None:
            if found.delegate not in scope.results:
                raise FunctionError(f"there is no step {found.delegate!r} to delegate to")
            outputs: dict[str, Any] = scope.results[found.delegate]["outputs"]
            return outputs
        return given(found.outputs, filled(found.results, self._context(scope)), "output")

    async def _found(self, where: Folder | Repository, base: str) -> tuple[Definition, str]:
        """The definition that a reference leads to, and its folder."""
        folder = where if isinstance(where, Folder) else where.folder
        if isinstance(where, Repository):
            base = await self._repository(where)
        number = self._stages.next()
        status = await self._run(self._stages.look(number, base, folder), False)
        if status == NOT_THERE:
            raise FunctionError(f"there is no {' or '.join(folder.files)} in {folder.path}")
        self._end(status)
        text, place = await self._stages.read(f"{number}.yml", f"{number}.dir")
        try:
            return definitions.definition(text), place.rstrip("\n")
        except FunctionError as error:
            raise FunctionError(f"{folder.path}: {error}") from None

    async def _repository(self, where: Repository) -> str:
        if where not in self._fetched:
            stage, folder = self._stages.fetch(self._stages.next(), where)
            if await self._run(stage, True):
                raise FunctionError("the git repository, or the revision in it, cannot be had")
            self._fetched[where] = folder
        return self._fetched[where]

    async def _command(self, stage: Stage) -> None:
        self._end(await self._run(stage, False))

    def _end(self, status: int) -> None:
        if status:
            raise JobFailed(self._executor.exited(status), "script_failure", exit_code=status)

    async def _take_exports(self, text: str) -> None:
        try:
            exports = written_values(text)
        except FunctionError as error:
            raise FunctionError(f"the file of exports: {error}") from None
        self._exported |= _strings(exports)

    async def _know_environment(self) -> None:
        """What the job's processes find set, asked once."""
        if self._environment is None:
            number = self._stages.next()
            await self._command(self._stages.environment(number))
            text = (await self._stages.read(f"{number}.env"))[0]
            pairs = (entry.partition("=") for entry in text.split("\0"))
            self._environment = {name: value for name, equals, value in pairs if equals}

    @property
    def _work_dir(self) -> str:
        return self._job.places.project

    def _context(self, scope: Scope, number: int | None = None) -> dict[str, Any]:
        """What expressions may name; `number` of the stage whose files are written to."""
        variables = self._job.variables.exports()
        inputs = {
            each.key: each.value.content for each in self._job.payload.inputs or [] if not each.value.sensitive
        }
        context = {
            "vars": variables,
            "job": variables | {"inputs": inputs},
            "env": (self._environment or {}) | self._exported | scope.env,
            "inputs": scope.inputs,
            "steps": scope.results,
            "func_dir": scope.folder,
            "step_dir": scope.folder,
            "work_dir": self._work_dir,
        }
        if number is not None:
            output, export = (self._stages.path(name) for name in _files(number))
            context |= {"output_file": output, "export_file": export}
        return context


def _files(number: int) -> tuple[str, str]:
    return f"{number}.output", f"{number}.export"


def _strings(values: dict[str, Any]) -> dict[str, str]:
    """Variables of an environment; FunctionError for names and values that none can have."""
    for name, value in values.items():
        if not _NAME.match(name):
            raise FunctionError(f"{name!r} is no name of a variable: letters, digits and underscores")
        if not isinstance(value, (str, int, float)):
            raise FunctionError(f"the variable {name!r} is a string, a number or a boolean")
    return {name: as_text(value) for name, value in values.items()}
