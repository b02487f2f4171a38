"""Child pipelines and pipelines of other projects, as `shipline run` and the commands after it show them."""

import json
import signal
import subprocess

import pytest
from tests.cli.conftest import Shell
from tests.cli.test_later import goes_on, nap, started, wait_for_line

__all__ = ["nap"]

PARENT = """
stages: [build, test, deploy]
variables: {TOP: from the top}
child:
  stage: test
  variables: {OWN: "of $CI_PIPELINE_ID"}
  trigger: {include: child.yml, strategy: depend}
deploy: {stage: deploy, script: [echo deploying]}
"""


@pytest.fixture
def other(tmp_path, shell) -> Shell:
    """A repository `lib` beside the one that runs."""
    (tmp_path / "lib").mkdir()
    other = Shell(tmp_path / "lib", shell.home)
    other.git("init", "-q", "-b", "main")
    return other


def test_a_child_runs_with_its_parent(repository):
    script = (
        'echo "$TOP, $OWN, $CI_PIPELINE_SOURCE of $CI_UPSTREAM_PIPELINE_ID, $CI_COMMIT_BRANCH, $CI_CONFIG_PATH"'
    )
    repository.commit(ci=PARENT, **{"child.yml": f"unit:\n  script: ['{script}']\n"})
    shown = repository.shipline("run")
    assert "child/unit | from the top, of 1, parent_pipeline of 1, main, .gitlab-ci.yml" in shown
    assert "child  | running: pipeline 2" in shown
    assert shown.index("child/unit | success") < shown.index("deploy | deploying")
    assert [line.split()[1:3] for line in shown.splitlines()[-3:]] == [
        ["child", "success"],
        ["unit", "success"],
        ["deploy", "success"],
    ]


def test_a_childs_failure_is_told_with_its_reason(repository):
    repository.commit(ci=PARENT, **{"child.yml": "unit: {script: [echo nearly there, exit 3]}\n"})
    shown = repository.shipline("run", "--quiet", code=1)
    assert "child/unit failed: the script failed (exit code 3)" in shown
    assert "| nearly there" in shown
    assert "its pipeline 2 did" in shown
    assert "shipline retry unit --pipeline 2" in shown
    status = json.loads(repository.shipline("status", "--json", code=1))
    assert status["pipeline"]["status"] == "failed"
    assert [each["pipeline"]["upstream"]["pipeline_id"] for each in status["downstream"]] == [1]


def test_without_a_strategy_the_parent_does_not_care(repository):
    ci = PARENT.replace(", strategy: depend", "")
    repository.commit(ci=ci, **{"child.yml": "unit: {script: [exit 3]}\n"})
    shown = repository.shipline("run", "--quiet")
    assert "Pipeline 1 success" in shown and "child/unit failed" in shown
    shown = repository.shipline("retry", code=2)
    assert "pipeline 2 has: shipline retry --pipeline 2" in shown


def test_what_is_dubious_in_a_child_is_in_the_trigger_jobs_log(repository):
    repository.commit(ci=PARENT, **{"child.yml": 'unit:\n  script:\n    - echo "a: b"\n'})
    repository.shipline("run", "--quiet")
    assert "WARNING: child.yml:3:" in repository.shipline("logs", "child")


def test_inputs_several_files_and_nesting(repository):
    ci = """
    child:
      trigger:
        strategy: depend
        include:
          - local: ci/jobs.yml
            inputs: {who: world}
          - ci/more.yml
    """
    jobs = "spec: {inputs: {who: }}\n---\ngreet: {script: ['echo hello $[[ inputs.who ]]']}\n"
    more = "deeper: {trigger: {include: ci/deep.yml, strategy: mirror}}\n"
    deep = "down: {script: [echo down here]}\ntoo: {trigger: {include: ci/deep.yml}, allow_failure: true}\n"
    repository.commit(ci=ci, **{"ci/jobs.yml": jobs, "ci/more.yml": more, "ci/deep.yml": deep})
    shown = repository.shipline("run")
    assert "child/greet | hello world" in shown
    assert "child/deeper/down | down here" in shown
    assert "child/deeper/too failed (allowed to fail): child pipelines are nested too deep" in shown
    assert "child pipelines may be nested 2 deep" in repository.shipline("logs", "child/deeper/too")


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            {"child.yml": "unit: {script: 3, bad: x}\n"},
            r"child.yml:1:19: jobs:unit config contains unknown keys: bad",
        ),
        ({}, ".gitlab-ci.yml:7:12: Local file `child.yml` does not exist!"),
        ({"child.yml": "unit: {script: [a], rules: [{if: $NONE}]}\n"}, "prevented any jobs from being added"),
        ({"child.yml": "s: {script: [a], identity: google_cloud}\n"}, "child.yml:1: job 's'"),
    ],
)
def test_a_child_that_cannot_be_made(repository, files, told):
    repository.commit(ci=PARENT, **files)
    shown = repository.shipline("run", "--quiet", code=1)
    assert "child failed: its pipeline could not be created" in shown
    assert told in shown


def test_another_project_is_a_directory_beside(repository, other):
    other.commit(
        ci="stage: {script: ['echo $FROM $CI_PIPELINE_SOURCE $CI_PROJECT_NAME', cat file]}\n", file="theirs\n"
    )
    other.git("checkout", "-q", "-b", "next")
    other.commit(file="newer\n")
    ci = """
    lib: {variables: {FROM: here}, trigger: {project: local/lib, strategy: depend}}
    next: {trigger: {project: local/lib, branch: $BRANCH}, variables: {BRANCH: next}}
    """
    repository.commit(ci=ci)
    shown = repository.shipline("run")
    assert "lib/stage | here pipeline lib" in shown and "lib/stage | theirs" in shown
    assert "next/stage | newer" in shown
    assert "(of pipeline 1: lib)" in other.shipline("pipelines")


def test_another_project_is_given(repository, other, tmp_path):
    other.commit(ci="spec: {inputs: {name: }}\n---\nsay: {script: ['echo $[[ inputs.name ]]']}\n")
    ci = "far: {trigger: {project: group/far, strategy: depend, inputs: {name: away}}}\n"
    repository.commit(ci=ci)
    assert "far/say | away" in repository.shipline("run", "--project", f"group/far={other.directory}")
    shown = repository.shipline("retry", "far")
    assert "far/say | away" in shown
    shown = repository.shipline("run", code=1)
    assert "project 'group/far': it is neither given nor" in shown
    assert "--project group/far=DIRECTORY" in shown
    assert "the project that it triggers was not found" in shown


def test_a_manual_job_of_a_child_is_played_later(repository):
    child = "ask: {when: manual, allow_failure: false, script: [echo asked]}\n"
    repository.commit(ci=PARENT, **{"child.yml": child})
    shown = repository.shipline("run")
    assert "shipline play ask --pipeline 2" in shown
    shown = repository.shipline("play", "child/ask")
    assert "child/ask | asked" in shown and "deploy | deploying" in shown and "Pipeline 1 success" in shown
    assert "asked" in repository.shipline("logs", "ask")
    assert "asked" in repository.shipline("logs", "child/ask")


def test_a_retry_goes_on_in_the_child(repository):
    child = "unit: {script: ['test -e $HERE/mended']}\nlint: {script: [echo linted]}\n"
    ci = PARENT.replace("{TOP:", f"{{HERE: {repository.directory}, TOP:")
    repository.commit(ci=ci, **{"child.yml": child})
    repository.shipline("run", "--quiet", code=1)
    repository.write("mended", "")
    shown = repository.shipline("retry")
    assert "child/unit" in shown and "child/lint |" not in shown
    assert "Pipeline 1 success" in shown and "deploy | deploying" in shown
    shown = repository.shipline("retry", "child")
    assert "running: pipeline 3" in shown and "child/lint | linted" in shown
    listed = repository.shipline("pipelines")
    assert listed.count("(of pipeline 1: child)") == 2


def test_an_interrupt_ends_parent_and_child(repository, nap):
    repository.commit(ci=PARENT, **{"child.yml": f"slow: {{script: [echo napping, {nap}]}}\n"})
    process = started(repository, "run")
    wait_for_line(process, "child/slow | napping")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert not goes_on(nap)
    assert "Pipeline 1 canceled" in repository.shipline("status", code=1)
    assert "Pipeline 2 canceled" in repository.shipline("status", "2", code=1)


def test_cancel_takes_the_children_along(repository, nap):
    repository.commit(ci=PARENT, **{"child.yml": f"slow: {{script: [echo napping, {nap}]}}\n"})
    process = started(repository, "run")
    wait_for_line(process, "child/slow | napping")
    shown = repository.shipline("cancel")
    assert "child: canceled" in shown and "child/slow: canceling" in shown
    assert process.wait(timeout=20) == 1
    assert not goes_on(nap)


def test_a_killed_parent_settles_with_its_child(repository, nap):
    repository.commit(ci=PARENT, **{"child.yml": f"slow: {{script: [echo napping, {nap}]}}\n"})
    process = started(repository, "run")
    wait_for_line(process, "child/slow | napping")
    process.kill()
    process.wait()
    shown = repository.shipline("cancel")
    assert "Pipeline 1 was interrupted: its process died; child/slow ran and counts as failed" in shown
    assert "Pipeline 2" not in shown
    subprocess.run(["pkill", "-f", nap], check=False)
    status = json.loads(repository.shipline("status", "--json", code=1))
    assert {job["name"]: job["status"] for job in status["jobs"]} == {"child": "failed", "deploy": "skipped"}
    assert [each["jobs"][0]["failure_reason"] for each in status["downstream"]] == ["runner_interrupted"]


def test_another_terminal_watches_the_children_too(repository, nap):
    ci = PARENT + "ask: {stage: build, when: manual, script: [echo asked]}\n"
    repository.commit(ci=ci, **{"child.yml": "slow: {script: [echo napping, sleep 3]}\n"})
    process = started(repository, "run")
    wait_for_line(process, "child/slow | napping")
    shown = repository.shipline("play", "ask")
    assert "is run by another process" in shown
    assert "child/slow | napping" in shown and "Pipeline 1 success" in shown
    assert process.wait(timeout=20) == 0


def test_programs_get_the_children_as_events(repository):
    repository.commit(ci=PARENT, **{"child.yml": "unit: {script: [echo hello]}\n"})
    events = [json.loads(line) for line in repository.shipline("run", "--json").splitlines()]
    begun = [(event["id"], event["upstream"]) for event in events if event["event"] == "pipeline"]
    assert begun == [(1, None), (2, 1)]
    assert [job["job"] for event in events if event["event"] == "pipeline" for job in event["jobs"]] == [
        "child",
        "deploy",
        "unit",
    ]
    summary = events[-1]
    assert summary["jobs"][0]["downstream"] == 2
    assert [each["jobs"][0]["status"] for each in summary["downstream"]] == ["success"]


def test_a_child_of_a_merge_request(repository):
    repository.commit(ci="", one="1")
    repository.git("checkout", "-q", "-b", "feature")
    ci = """
    child:
      rules: [{if: $CI_MERGE_REQUEST_ID}]
      trigger: {include: child.yml, strategy: depend}
    """
    child = (
        "show:\n  rules: [{if: $CI_MERGE_REQUEST_ID, changes: [two]}]\n"
        "  script: ['echo $CI_MERGE_REQUEST_TARGET_BRANCH_NAME ${CI_COMMIT_BRANCH:-none} $CI_PIPELINE_SOURCE']\n"
    )
    repository.commit(ci=ci, two="2", **{"child.yml": child})
    assert "child/show | main none parent_pipeline" in repository.shipline("run", "--merge-request", "main")


def test_time_is_not_lost(repository, tmp_path):
    """Two children run side by side: each waits for the other."""
    trigger = "trigger: {include: child.yml, strategy: depend}"
    ci = f"""
    a: {{variables: {{MINE: {tmp_path}/a, OTHER: {tmp_path}/b}}, {trigger}}}
    b: {{variables: {{MINE: {tmp_path}/b, OTHER: {tmp_path}/a}}, {trigger}}}
    """
    meet = "meet: {script: ['touch $MINE; until [ -e $OTHER ]; do sleep 0.05; done'], timeout: 1 minute}\n"
    repository.commit(ci=ci, **{"child.yml": meet})
    repository.shipline("run")


MADE = """
stages: [build, test]
make:
  stage: build
  script: ["mkdir made", "echo 'generated: {script: [echo I was made]}' > made/child.yml", "echo NUMBER=7 > it.env"]
  artifacts: {paths: [made], reports: {dotenv: it.env}}
child:
  stage: test
  trigger: {include: [{artifact: made/child.yml, job: make}], strategy: depend}
"""


def test_a_child_made_of_an_artifact(repository):
    repository.commit(ci=MADE)
    assert "child/generated | I was made" in repository.shipline("run")
    repository.commit(ci=MADE.replace("artifact: made/child.yml", "artifact: made/none.yml"))
    shown = repository.shipline("run", code=1)
    assert "Path `made/none.yml` does not exist inside the `make` artifacts archive!" in shown
    repository.commit(ci=MADE.replace("  artifacts: {paths: [made], reports: {dotenv: it.env}}\n", ""))
    assert "Job `make` not found in parent pipeline or does not have artifacts!" in repository.shipline(
        "run", code=1
    )


def test_what_a_job_has_reported_is_handed_on_where_that_is_wanted(repository):
    ci = MADE.replace("include: [{artifact: made/child.yml, job: make}]", "forward: {pipeline_variables: true}, @")
    ci = ci.replace("@", "include: child.yml").replace("child:\n", 'child:\n  variables: {TOLD: "it is $NUMBER"}\n')
    repository.commit(ci=ci, **{"child.yml": "show: {script: ['echo $TOLD, number $NUMBER, $GIVEN']}\n"})
    assert "child/show | it is 7, number 7, given" in repository.shipline("run", "-v", "GIVEN=given")
    repository.commit(ci=ci.replace("pipeline_variables: true", "pipeline_variables: false"))
    assert "child/show | it is 7, number ," in repository.shipline("run", "-v", "GIVEN=given")


def test_files_of_the_parent_and_of_another_project(repository, other):
    other.commit(ci="make: {script: [echo theirs > file], artifacts: {paths: [file]}}\n")
    other.shipline("run", "--quiet")
    child = """
    use:
      needs: [{pipeline: $PARENT, job: make}, {project: local/lib, job: make, ref: main}]
      script: [cat made/child.yml file, echo $NUMBER]
    none:
      needs: [{project: local/lib, job: make, ref: next}]
      script: [echo never]
    """
    ci = MADE.replace("include: [{artifact: made/child.yml, job: make}]", "include: child.yml")
    ci = ci.replace("child:\n", "child:\n  variables: {PARENT: $CI_PIPELINE_ID}\n")
    repository.commit(ci=ci, **{"child.yml": child})
    shown = repository.shipline("run", code=1)
    assert "child/use | generated: {script: [echo I was made]}" in shown
    assert "child/use | theirs" in shown and "child/use | 7" in shown
    assert "project 'local/lib' at 'next' has no job 'make' that succeeded" in shown
    assert "child/none failed: artifacts that it needs are not there" in shown


def test_a_bridge_mirrors_another_project(repository, other):
    other.commit(ci="test: {script: [exit 1]}\n")
    other.shipline("run", "--quiet", code=1)
    repository.commit(ci="theirs: {needs: {pipeline: local/lib}}\nown: {script: [echo own]}\n")
    shown = repository.shipline("run", code=1)
    assert "theirs | failed" in shown and "own    | own" in shown
