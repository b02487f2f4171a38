"""Jobs made of steps: scripts, and functions of the job's folders and of git repositories; in shells and pods."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from tests.runner.desk import Desk, job, repository, run

from shipline.protocol.payload import Variable

GREET = """
spec:
  inputs:
    who: {type: string, default: world}
    count: {type: number, default: 1}
  outputs:
    greeting: {type: string}
    total: {type: number, default: 7}
---
exec:
  command:
    - sh
    - ${{ func_dir }}/greet.sh
    - ${{ inputs.who }}
    - ${{ output_file }}
    - ${{ export_file }}
    - "count=${{ inputs.count + 1 }} at ${{ work_dir }}"
env:
  DEFINED: "for ${{ inputs.who }}"
"""
SCRIPT = r"""
echo "$4, defined $DEFINED, step ${STEP:-unset}, in $PWD"
printf '{"name": "greeting", "value": "hello %s"}\n' "$1" >> "$2"
printf '{"name": "GREETED", "value": "%s"}\n{"name": "TIMES", "value": 2}\n' "$1" >> "$3"
"""
TWICE = """
spec:
  inputs: {who: {type: string}}
  outputs: {both: {type: string}}
---
run:
  - {name: one, func: ../greet, inputs: {who: "${{ inputs.who }}"}}
  - {name: two, func: ../greet/step.yml, inputs: {who: "${{ steps.one.outputs.greeting }}"}}
outputs:
  both: ${{ steps.one.outputs.greeting + ", " + steps.two.outputs.greeting }}
"""
LAST = "spec: {outputs: delegate}\n---\nrun: [{name: one, func: ../greet}]\ndelegate: one\n"
FILES = {
    "functions/greet/step.yml": GREET,
    "functions/greet/greet.sh": SCRIPT,
    "functions/twice/func.yml": TWICE,
    "functions/last/func.yml": LAST,
    "steps/hello/func.yml": "spec:\n---\nexec: {command: [cat, hello.txt], work_dir: '${{ func_dir }}'}\n",
    "steps/hello/hello.txt": "hello from a repository\n",
}


@pytest.fixture(params=["shells", pytest.param("pods", marks=pytest.mark.engine)])
def runner(request):
    """A runner of either kind."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def functions(tmp_path):
    """A repository that holds functions."""
    return repository(tmp_path / "functions", FILES)


async def ran(config, source, *steps, **fields):
    payload = job(source, run=json.dumps(steps), **fields)
    payload.steps = []
    desk = Desk(payload)
    await asyncio.wait_for(run(config, desk), 90)
    return desk.log(payload), desk.results[payload.id]


async def test_values_go_from_step_to_step(runner, functions):
    log, result = await ran(
        runner,
        functions,
        {
            "name": "a",
            "func": "./functions/greet",
            "inputs": {"who": "${{ job.FRIEND }}", "count": 4},
            "env": {"STEP": "of ${{ vars.FRIEND }}"},
        },
        {"name": "b", "script": 'echo "$GREETED $TIMES ${STEP:-unset} ${{ steps.a.outputs.total + 1 }}"; cd /'},
        {"name": "c", "step": "./functions/twice", "inputs": {"who": "${{ env.GREETED }}"}},
        {"name": "d", "func": "./functions/last"},
        {"name": "e", "script": "echo '${{ steps.c.outputs.both }}|${{ steps.d.outputs.greeting }}' $PWD"},
        variables=[Variable("FRIEND", "Sally")],
    )
    assert result.state == "success", log
    project = next(line.split()[-1] for line in log.splitlines() if line.startswith("hello Sally,"))
    assert f"count=5 at {project}, defined for Sally, step of Sally, in {project}\n" in log
    assert "\nSally 2 unset 8\n" in log
    assert f"\nhello Sally, hello hello Sally|hello world {project}\n" in log
    assert "Running step name=a\n" in log and "Running step name=two\n" in log


async def test_a_function_of_a_git_repository(runner, functions):
    url = "file://${{ work_dir }}"
    sha = "${{ vars.CI_COMMIT_SHA }}"
    log, result = await ran(
        runner,
        functions,
        {"name": "long", "func": {"git": {"url": url, "rev": sha, "dir": "steps/hello"}}},
        {"name": "short", "step": f"{url}/-/hello@{sha}"},
    )
    assert result.state == "success", log
    assert log.count("hello from a repository\n") == 2


async def test_the_first_step_that_fails_ends_the_job(runner, functions):
    log, result = await ran(
        runner,
        functions,
        {"name": "a", "script": "false\necho after"},
        {"name": "b", "script": "echo never"},
    )
    assert (result.state, result.failure_reason, result.exit_code) == ("failed", "script_failure", 1), log
    assert "after" not in log.split("Running step")[1] and "never" not in log


async def test_a_command_is_no_shell_text(shells, tmp_path):
    definition = "spec: {inputs: {x: {type: string}}}\n---\nexec: {command: [printf, '%s\\n', '${{ inputs.x }}']}\n"
    source = repository(tmp_path / "source", {"f/func.yml": definition})
    given = "a; echo $HOME `id` 'q' \"r\" $(id)\nnext"
    log, result = await ran(shells, source, {"name": "a", "func": "./f", "inputs": {"x": given}})
    assert result.state == "success" and f"\n{given}\n" in log, log


async def test_masked_values_stay_masked(shells, functions):
    log, result = await ran(
        shells,
        functions,
        {"name": "a", "func": "./functions/greet", "inputs": {"who": "${{ vars.SECRET }}"}},
        {"name": "b", "script": "echo got ${{ steps.a.outputs.greeting }} $GREETED"},
        variables=[Variable("SECRET", "very-secret-value", masked=True)],
    )
    assert result.state == "success" and "very-secret-value" not in log, log
    assert "got hello [MASKED] [MASKED]" in log


WRONG = {
    "step 'a': there is no func.yml or step.yml in ./nowhere": {"func": "./nowhere"},
    "step 'a': input 'whom' is not declared": {"func": "./functions/greet", "inputs": {"whom": "x"}},
    "step 'a': input 'count' is declared as number, and this is of type string": {
        "func": "./functions/greet",
        "inputs": {"count": "${{ vars.CI_JOB_ID }}"},
    },
    "step 'a': input 'who' is missing": {"func": "./functions/twice"},
    "step 'a': ${{ vars.NOTHING }}: 'NOTHING' was not found": {"script": "echo ${{ vars.NOTHING }}"},
    "step 'a': 'A-B' is no name of a variable": {"script": "true", "env": {"A-B": "x"}},
    "step 'a': 'registry.example.com/f:1': functions are taken from folders and git": {
        "func": "${{ 'registry.example.com/f:1' }}"
    },
    "step 'a': the git repository, or the revision in it, cannot be had": {"func": "file:///nowhere/at-all@main"},
    "step 'a': the file of exports: 'x=1' is not": {"script": "echo x=1 > ${{ export_file }}"},
}


@pytest.mark.parametrize("why", WRONG)
async def test_what_is_wrong_is_told_and_fails_the_job(shells, functions, why):
    log, result = await ran(shells, functions, {"name": "a", **WRONG[why]})
    assert result.state == "failed" and f"ERROR: Job failed: {why}" in log, log


DEFINITIONS = {
    "it has two documents": "exec: {command: [a]}\n",
    "it does one of two things": "spec:\n---\n{}\n",
    "`exec:command` is a list of strings": "spec:\n---\nexec: {command: ls}\n",
    "the type is one of array, boolean, number, string": "spec: {inputs: {a: {type: text}}}\n---\nrun: []\n",
    "the default is not of type number": "spec: {inputs: {a: {type: number, default: x}}}\n---\nrun: []\n",
    "it is no YAML": "spec: [\n",
    "output 'a' is missing": "spec: {outputs: {a: {type: string}}}\n---\nexec: {command: ['true']}\n",
    "functions call each other 20 levels deep": "spec:\n---\nrun: [{name: again, func: .}]\n",
    "output 'b' is not declared": 'spec:\n---\nexec:\n  command: [sh, -c, \'echo \'\'{"name":"b","value":1}\'\' > '
    "${{ output_file }}']\n",
}


@pytest.mark.parametrize("why", DEFINITIONS)
async def test_a_definition_that_is_wrong_is_told(shells, tmp_path, why):
    source = repository(tmp_path / "source", {"f/func.yml": DEFINITIONS[why]})
    log, result = await ran(shells, source, {"name": "a", "func": "./f"})
    assert result.state == "failed" and why in log.split("ERROR: ")[1], log


async def test_steps_share_the_script_s_time_and_end_when_the_job_is_cancelled(shells, functions):
    steps = [{"name": "a", "script": "sleep 0.7"}, {"name": "b", "script": "sleep 30"}]
    limit = Variable("RUNNER_SCRIPT_TIMEOUT", "1s")
    log, result = await ran(shells, functions, *steps, variables=[limit])
    assert result.failure_reason == "job_execution_timeout" and "Running step name=b" in log, log
    payload = job(functions, run=json.dumps([{"name": "a", "script": "echo here; sleep 60"}, steps[1]]))
    payload.steps = []
    desk = Desk(payload)
    began = time.monotonic()
    running = asyncio.create_task(run(shells, desk))
    await desk.says(payload, "\nhere\n")
    desk.order(payload).set_result("canceling")
    await asyncio.wait_for(running, 30)
    assert desk.results[payload.id].failure_reason == "job_canceled"
    assert "name=b" not in desk.log(payload) and time.monotonic() - began < 20
