"""Which pipeline and which of its jobs: the options of `shipline run`, and of the commands that only look."""

import json

import pytest

JOBS = """
stages: [build, test, deploy]
compile: {stage: build, script: [echo compiled]}
docs: {stage: build, script: [echo documented]}
optional: {stage: build, when: manual, allow_failure: true, script: [echo optional]}
unit: {stage: test, needs: [compile], script: [echo tested]}
lint: {stage: test, script: [echo linted]}
ship: {stage: deploy, when: manual, manual_confirmation: Really?, script: [echo shipped]}
clean: {stage: deploy, when: manual, script: [echo tidied]}
"""

EVENT = """
push: {script: [env], rules: [{if: '$CI_COMMIT_BRANCH && $CI_PIPELINE_SOURCE == "push"'}]}
schedule: {script: [env], rules: [{if: '$CI_PIPELINE_SOURCE == "schedule"'}]}
request:
  script: [env]
  rules: [{if: $CI_MERGE_REQUEST_IID, changes: [src/*]}]
tag: {script: [env], rules: [{if: $CI_COMMIT_TAG}]}
"""


def ran(repository, *arguments: str, code: int = 0) -> list[str]:
    """The names of the jobs that ended."""
    events = [json.loads(line) for line in repository.shipline("run", "--json", *arguments, code=code).splitlines()]
    return [job["job"] for job in events[-1]["jobs"] if job["status"] in ("success", "failed")]


def test_a_stage_alone_and_with_what_it_needs(repository):
    repository.commit(ci=JOBS)
    assert ran(repository, "--stage", "test") == ["unit", "lint"]
    assert ran(repository, "--stage", "test", "--needs") == ["compile", "docs", "unit", "lint"]
    text = repository.shipline("run", "--stage", "tset", code=2)
    assert "has no stage 'tset'. It has: build, test, deploy. Did you mean 'test'?" in text


def test_a_job_with_what_it_needs(repository):
    repository.commit(ci=JOBS)
    assert ran(repository, "--job", "unit") == ["unit"]
    assert ran(repository, "--job", "unit", "--needs") == ["compile", "unit"]
    assert ran(repository, "--job", "lint", "--needs", "--job", "unit") == ["compile", "docs", "unit", "lint"]
    assert "--needs is about the jobs of --job" in repository.shipline("run", "--needs", code=2)


def test_manual_jobs_start_where_they_are_asked_for(repository):
    repository.commit(ci=JOBS)
    automatic = ["compile", "docs", "unit", "lint"]
    assert ran(repository, "--manual", "clean") == [*automatic, "clean"]
    assert "Job 'ship' asks: Really? Say --yes." in repository.shipline("run", "--manual", "ship", code=2)
    assert ran(repository, "--manual", "--yes") == ["compile", "docs", "optional", "unit", "lint", "ship", "clean"]
    assert "asks: Really?" in repository.shipline("run", "--job", "ship", code=2)


def test_a_merge_request_and_what_it_changes(repository):
    repository.commit(ci=EVENT)
    base = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "-q", "-b", "side")
    repository.commit("Not there", other="x")
    assert "No job of .gitlab-ci.yml is for" in repository.shipline("run", "--merge-request", code=2)
    sha = repository.commit("The change", **{"src/a": "x"})
    repository.commit("One more", other="y")
    text = repository.shipline("run", "--merge-request")
    for line in (
        "CI_PIPELINE_SOURCE=merge_request_event",
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME=side",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main",
        "CI_MERGE_REQUEST_TARGET_BRANCH_SHA=",
        f"CI_MERGE_REQUEST_DIFF_BASE_SHA={base}",
        "CI_COMMIT_BEFORE_SHA=" + "0" * 40,
        "CI_COMMIT_REF_NAME=side",
    ):
        assert f"request | {line}\n" in text
    assert "request | CI_COMMIT_BRANCH=" not in text
    assert f"request | CI_COMMIT_SHA={sha}" not in text
    assert repository.shipline("list", "--merge-request", "--format", "csv").splitlines()[1:] == [
        "request,test,on_success,no,"
    ]


def test_a_schedule_and_its_description(repository):
    repository.commit(ci=EVENT)
    text = repository.shipline("run", "--schedule", "every night")
    assert "schedule | CI_PIPELINE_SOURCE=schedule\n" in text
    assert "schedule | CI_PIPELINE_SCHEDULE_DESCRIPTION=every night\n" in text
    assert "schedule" in repository.shipline("list", "--schedule")


def test_a_tag_that_is_there_and_one_that_is_not_yet(repository):
    first = repository.commit("First", ci=EVENT)
    repository.git("tag", "v1", "-m", "The first")
    second = repository.commit("Second")
    text = repository.shipline("run", "--tag", "v1")
    assert f"tag | CI_COMMIT_SHA={first}\n" in text and "tag | CI_COMMIT_TAG=v1\n" in text
    assert "tag | CI_COMMIT_TAG_MESSAGE=The first\n" in text
    text = repository.shipline("run", "--tag", "v2")
    assert f"tag | CI_COMMIT_SHA={second}\n" in text and "tag | CI_COMMIT_TAG=v2\n" in text
    assert repository.git("tag") == "v1"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tag", "v1", "--merge-request"],
        ["--schedule", "--merge-request"],
        ["--schedule", "nightly", "--source", "web"],
        ["--dirty", "--ref", "main"],
    ],
)
def test_options_that_contradict_each_other(repository, arguments):
    repository.commit(ci=EVENT)
    assert "use one of them" in repository.shipline("run", *arguments, code=2)


def test_variables_of_a_file_and_of_the_command_line(repository):
    repository.commit(ci="show: {script: ['echo \"$A|$B|$C\"']}\n")
    file = repository.write("../vars.yml", "A: from file\nB: from file\n")
    text = repository.shipline("run", "--variables-file", str(file), "-v", "B=from line", "-v", "C", C="outside")
    assert "show | from file|from line|outside" in text
    bad = repository.write("../bad.env", "A=1\nB\n")
    assert "bad.env:2: not NAME=VALUE" in repository.shipline("run", "--variables-file", str(bad), code=2)


def test_inputs(repository):
    repository.commit(
        ci="spec: {inputs: {where: {options: [here, there]}}}\n---\nshow: {script: ['echo $[[ inputs.where ]]']}\n"
    )
    assert "show | there" in repository.shipline("run", "--input", "where=there")
    assert "where" in repository.shipline("run", code=2)
    assert "--input where: write KEY=VALUE" in repository.shipline("run", "--input", "where", code=2)


def test_another_configuration_file_of_the_commit(repository):
    repository.commit(ci="a: {script: [echo a]}\n", **{"ci/other.yml": "b: {script: ['echo $CI_CONFIG_PATH']}\n"})
    assert "b | ci/other.yml" in repository.shipline("run", "--file", "ci/other.yml")
    assert "is not in" in repository.shipline("run", "--file", "/etc/hostname", code=2)


def test_the_executor_is_said_and_can_be_set(repository):
    repository.commit(ci="job: {image: nowhere/nothing, services: [db], script: [echo here]}\n")
    text = repository.shipline("run", "--executor", "shell")
    assert 'job | Preparing the "shell" executor' in text and "job | here" in text
    assert "WARNING: the image nowhere/nothing is not used: this job runs in a shell of this machine" in text
    assert "WARNING: services are not started (db)" in text


def test_what_a_job_asks_is_asked_only_where_it_can_start(repository):
    repository.commit(ci=JOBS)
    repository.shipline("run")
    assert "Job 'ship' asks: Really? Say --yes." in repository.shipline("play", "ship", code=2)
    assert "| shipped\n" in repository.shipline("play", "ship", "--yes")
    assert "Job 'ship' is success" in repository.shipline("play", "ship", code=2)


def test_a_name_follows_all_of_a_parallel_job_and_jobs_of_triggered_pipelines(repository):
    repository.write(
        "child.yml", "smoke: {parallel: 2, script: ['echo child $CI_NODE_INDEX']}\nrest: {script: [echo no]}\n"
    )
    repository.commit(
        ci="unit: {parallel: 2, script: ['echo unit $CI_NODE_INDEX']}\nother: {script: [echo no]}\n"
        "deploy: {trigger: {include: child.yml, strategy: depend}}\n"
    )
    text = repository.shipline("run", "--follow", "unit", "--follow", "deploy/smoke 2/2")
    assert "| unit 1\n" in text and "| unit 2\n" in text
    assert "| child 2\n" in text and "| child 1\n" not in text and "| no\n" not in text
    text = repository.shipline("run", "--follow", "smoke", "--follow", "nowhere")
    assert "| child 1\n" in text and "| child 2\n" in text and "unit 1\n" not in text
    assert "Warning: --follow nowhere: no job was called so." in text


def test_a_job_to_follow_must_be_there(repository):
    repository.commit(ci=JOBS)
    assert "this pipeline has no such job" in repository.shipline("run", "--follow", "unti", code=2)
    text = repository.shipline("run", "--follow", "unit")
    assert "| tested" in text and "| linted" not in text and "lint     | success" in text


def test_a_timeout_for_every_job(repository):
    repository.commit(ci="job: {timeout: 1 hour, script: [sleep 60]}\n")
    assert "execution took longer than 1s" in repository.shipline("run", "--timeout", "1s", code=1)
    assert "'soon' is no duration" in repository.shipline("run", "--timeout", "soon", code=2)


def test_events_for_programs(repository):
    repository.commit(
        ci="job: {script: ['echo one', 'printf \"two\\nthree\"', exit 3], after_script: [echo cleaning]}\n"
    )
    events = [json.loads(line) for line in repository.shipline("run", "--json", code=1).splitlines()]
    assert [event["event"] for event in (events[0], events[-1])] == ["pipeline", "summary"]
    logged = [event["text"] for event in events if event["event"] == "log"]
    assert {"one", "two", "three$ exit 3"} <= set(logged)
    statuses = [event["status"] for event in events if event["event"] == "job"]
    assert statuses == ["running", "failed"]
    end = events[-1]
    assert (end["status"], end["exit_code"], end["ref"]) == ("failed", 1, "main")
    (job,) = end["jobs"]
    assert (job["failure_reason"], job["exit_code"]) == ("script_failure", 3)
    assert job["last_lines"][-2:] == ["two", "three$ exit 3"]


def test_a_long_log_is_kept_and_where_it_is_cut_is_said(repository):
    repository.commit(ci="job: {script: [seq 1200000, echo the end, exit 1]}\n")
    text = repository.shipline("run", code=1)
    assert "job | 1200000\n" in text and repository.shipline("logs", "job").count("\n") > 1200000
    assert "  | the end" in repository.shipline("run", "--quiet", code=1)
    config = repository.write("../config.toml", "[[runners]]\noutput_limit = 16\n")
    text = repository.shipline("run", "--quiet", "--config", str(config), code=1)
    assert "The log is longer than what is kept" in text


def test_what_is_said_to_have_changed_holds_for_child_pipelines_too(repository):
    repository.write("child.yml", "docs: {rules: [{changes: [docs/*]}], script: [echo]}\nrest: {script: [echo]}\n")
    repository.commit(ci="child: {trigger: {include: child.yml, strategy: depend}}")
    repository.commit("nothing about docs", **{"src/a": "a"})
    assert "child/docs" not in repository.shipline("run")
    assert "child/docs" in repository.shipline("run", "--changed", "docs/a.md")
    assert "child/docs" in repository.shipline("retry", "child")
