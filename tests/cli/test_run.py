"""`shipline run` on real repositories, with jobs that run in a shell."""

import re

TWO_STAGES = """
stages: [build, deploy]
variables:
  IMAGE: "app:${CI_COMMIT_SHORT_SHA}-${CI_PIPELINE_ID}"
build-job:
  stage: build
  script:
    - echo "building $IMAGE of $CI_PROJECT_PATH"
deploy-job:
  stage: deploy
  when: manual
  script: [echo "deploying $IMAGE"]
"""


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_a_pipeline_from_its_commit_to_its_end(repository):
    sha = repository.commit("One", ci=TWO_STAGES)
    text = repository.shipline("run")
    assert lines(text)[0] == f'Pipeline 1: main {sha[:8]} "One"'
    assert f"build-job  | building app:{sha[:8]}-1 of local/work" in lines(text)
    assert re.search(r"^  build   build-job   success    0\.\d+ s$", text, re.M)
    assert re.search(r"^  deploy  deploy-job  manual$", text, re.M)
    assert "  shipline play deploy-job --pipeline 1" in lines(text)
    assert "section_start" not in text and "\x1b" not in text


def test_a_failure_comes_first_with_its_reason_and_last_lines(repository):
    repository.commit(ci="test-job:\n  script:\n    - echo nearly\n    - exit 3\nother:\n  script: [echo fine]\n")
    text = repository.shipline("run", code=1)
    end = text[text.index("Pipeline 1 failed") :]
    assert "test-job failed: the script failed (exit code 3)" in end
    assert "  | nearly" in lines(end)
    assert end.index("test-job failed") < end.index("success")
    assert repository.shipline("status", code=1).startswith("Pipeline 1 failed")


def test_what_follows_a_failure_is_skipped_unless_it_was_allowed(repository):
    repository.commit(
        ci="""
stages: [a, b, c]
lint: {stage: a, script: [exit 1], allow_failure: true}
test: {stage: b, script: [exit 1]}
deploy: {stage: c, script: [echo never]}
report: {stage: c, script: [echo always], when: always}
"""
    )
    text = repository.shipline("run", code=1)
    assert re.search(r"a +lint +failed .*\(allowed to fail\)", text)
    assert re.search(r"c +deploy +skipped", text)
    assert re.search(r"c +report +success", text)


def test_only_what_is_committed_is_run_unless_dirty(repository):
    repository.commit(ci="show:\n  script: [cat file]\n", file="committed\n")
    repository.write("file", "changed\n")
    assert "show | committed" in repository.shipline("run")
    text = repository.shipline("run", "--dirty")
    assert "show | changed" in text and "main with uncommitted changes" in text
    assert repository.git("status", "--porcelain") == "M file"


def test_another_branch_and_a_tag(repository):
    repository.commit(ci="show:\n  script: ['echo ref=$CI_COMMIT_REF_NAME tag=$CI_COMMIT_TAG.']\n")
    repository.git("tag", "v1")
    repository.git("branch", "side")
    assert "show | ref=side tag=." in repository.shipline("run", "--ref", "side")
    assert "show | ref=v1 tag=v1." in repository.shipline("run", "--ref", "v1")
    assert "there is no branch, tag or commit 'none'" in repository.shipline("run", "--ref", "none", code=2)


def test_variables_from_the_command_line_and_the_environment(repository):
    repository.commit(ci="variables: {A: weak, B: weak}\nshow:\n  script: ['echo A=$A B=$B']\n")
    text = repository.shipline("run", "--variable", "A=strong", "--variable", "B", B="from outside")
    assert "show | A=strong B=from outside" in text
    assert "'1A' is no variable's name" in repository.shipline("run", "--variable", "1A=x", code=2)


def test_rules_know_the_number_of_the_pipeline(repository):
    repository.commit(ci="first: {scripts: x}\n")
    repository.shipline("run", code=2)
    rules = "rules: [{if: $CI_PIPELINE_IID == '%d'}]"
    script = "script: [echo number $CI_PIPELINE_IID]"
    repository.commit(ci=f"one: {{{script}, {rules % 1}}}\ntwo: {{{script}, {rules % 2}}}\n")
    assert "one | number 1" in repository.shipline("run")
    assert repository.shipline("list", "--format", "csv").splitlines()[1:] == ["two,test,on_success,no,"]
    assert "two | number 2" in repository.shipline("run")


def test_one_job_alone(repository):
    repository.commit(
        ci="stages: [a, b]\n"
        "one: {stage: a, script: [echo one]}\ntwo: {stage: b, script: [echo two], needs: [one]}\n"
    )
    text = repository.shipline("run", "--job", "two")
    assert "two | two" in text and "one" not in text
    assert "has no job 'three'. It has: one, two." in repository.shipline("run", "--job", "three", code=2)


def test_needs_start_before_their_stage(repository):
    repository.commit(
        ci="""
stages: [build, test]
slow: {stage: build, script: [sleep 2]}
quick: {stage: build, script: [echo quick]}
test: {stage: test, script: [echo tested], needs: [quick]}
"""
    )
    text = repository.shipline("run")
    assert text.index("test  | success") < text.index("slow  | success")


def test_a_retried_job_says_which_try_it_is(repository):
    repository.commit(
        ci="""
flaky:
  retry: 1
  script:
    - 'echo "try $CI_JOB_RETRY_COUNT"'
    - test "$CI_JOB_RETRY_COUNT" = 1
"""
    )
    text = repository.shipline("run")
    assert "flaky | try 0" in text and "flaky | running (try 2)" in text and "flaky | try 1" in text


def test_nothing_of_the_hosts_environment_leaks_in(repository):
    repository.commit(ci="show:\n  script: ['echo [$SECRET_OF_MINE]']\n")
    assert "show | []" in repository.shipline("run", SECRET_OF_MINE="oops")


def test_a_directory_with_an_unusual_name(shell):
    shell.directory = shell.directory / "50% of #1, ünlüx?"
    shell.directory.mkdir()
    shell.git("init", "-q", "-b", "main")
    shell.commit(ci="show:\n  script: [cat file, 'echo \"$CI_PROJECT_NAME\"']\n", file="here\n")
    text = shell.shipline("run")
    assert "show | here" in text and "show | 50-of-1-nl-x" in text


def test_quiet_shows_the_summary_alone(repository):
    repository.commit(ci="show:\n  script: [echo hello]\n")
    text = repository.shipline("run", "--quiet")
    assert "hello" not in text and "Pipeline 1 success" in text


def test_a_tag_of_the_job_is_met_by_this_machine(repository):
    repository.commit(ci="show:\n  tags: [kubernetes]\n  script: [echo hello]\n")
    assert "show | hello" in repository.shipline("run")


def test_a_runner_with_tags_takes_only_its_own(repository):
    repository.commit(ci="show:\n  tags: [gpu]\n  script: [echo hello]\n")
    config = repository.write("../config.toml", '[[runners]]\nname = "mine"\ntags = ["cpu"]\n')
    text = repository.shipline("run", "--config", str(config), code=1)
    assert "no runner takes this job: none has its tags: gpu" in text


def test_a_delayed_job_waits_its_time(repository):
    repository.commit(ci="later: {when: delayed, start_in: 1 second, script: [echo hello]}\n")
    text = repository.shipline("run")
    assert text.index("later | scheduled") < text.index("later | hello")


def test_jobs_of_a_resource_group_take_turns(repository):
    repository.commit(
        ci=".one: {resource_group: production, script: [sleep 0.3]}\na: {extends: .one}\nb: {extends: .one}\n"
    )
    text = repository.shipline("run")
    assert text.index("a | success") < text.index("b | running")
