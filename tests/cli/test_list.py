"""`shipline list` and `shipline preview`: the jobs of one pipeline, in the circumstances that are asked for."""

import json

FILE = """\
stages: [build, deploy]
variables: {TARGET: staging}
build:
  stage: build
  script: make
  parallel: 2
deploy:
  stage: deploy
  needs: [build]
  script: ./deploy $TARGET
  rules:
    - if: $CI_COMMIT_TAG
      variables: {TARGET: production}
      when: manual
    - if: $CI_MERGE_REQUEST_TARGET_BRANCH_NAME == "release"
docs:
  script: make docs
  stage: build
  rules:
    - changes: [docs/**/*]
    - if: $DOCS
"""


def names(shell, *options):
    return [job["name"] for job in json.loads(shell.shipline("list", "--format", "json", *options))]


def test_a_table(shell):
    shell.write(".gitlab-ci.yml", FILE)
    assert shell.shipline("list", "--tag=v1.0", "--changed", "x") == (
        "JOB        STAGE   WHEN        MAY FAIL  NEEDS\n"
        "build 1/2  build   on_success  no\n"
        "build 2/2  build   on_success  no\n"
        "deploy     deploy  manual      no        build 1/2, build 2/2\n"
    )


def test_names_of_any_script_stand_in_columns(shell):
    shell.write(".gitlab-ci.yml", "✅ 検査:\n  script: x\nb:\n  script: x\n")
    assert shell.shipline("list") == (
        "JOB      STAGE  WHEN        MAY FAIL  NEEDS\n"
        "✅ 検査  test   on_success  no\n"
        "b        test   on_success  no\n"
    )


def test_circumstances_decide(shell):
    shell.write(".gitlab-ci.yml", FILE)
    assert names(shell, "--changed", "src/x") == ["build 1/2", "build 2/2"]
    assert names(shell, "--changed", "docs/a/b.md") == ["build 1/2", "build 2/2", "docs"]
    assert names(shell, "--variable", "DOCS=1", "--changed", "x")[-1] == "docs"


def test_csv(shell):
    shell.write(".gitlab-ci.yml", "a: {script: x, allow_failure: {exit_codes: [3]}}\n")
    assert shell.shipline("list", "--format", "csv") == (
        "name,stage,when,allow_failure,needs\na,test,on_success,exit 3,\n"
    )


def test_preview_as_yaml_is_the_merged_file(shell):
    shell.write(".gitlab-ci.yml", ".base: {image: alpine}\na: {extends: .base, script: [[one], two]}\n")
    assert shell.shipline("preview") == (
        ".base:\n  image: alpine\na:\n  image: alpine\n  script:\n  - one\n  - two\n"
    )


def test_preview_as_json_has_each_job_s_effective_values(shell):
    shell.write(".gitlab-ci.yml", FILE)
    said = json.loads(shell.shipline("preview", "--format", "json", "--tag", "v1.0"))
    deploy = said["jobs"]["deploy"]
    assert said["stages"] == ["build", "deploy"]
    assert (deploy["when"], deploy["variables"]) == ("manual", {"TARGET": "production"})
    assert [need["job"] for need in deploy["needs"]] == ["build 1/2", "build 2/2"]


def test_inputs_answer_the_file_s_own_header(shell):
    shell.write(
        ".gitlab-ci.yml",
        "spec:\n  inputs: {copies: {type: number}}\n---\na: {script: x, parallel: '$[[ inputs.copies ]]'}\n",
    )
    assert names(shell, "--input", "copies=3") == ["a 1/3", "a 2/3", "a 3/3"]
    assert "required value has not been provided" in shell.shipline("list", code=2)


def test_an_invalid_file_is_one_clear_message(shell):
    shell.write(".gitlab-ci.yml", "a: {script: x, stage: nope}\n")
    said = shell.shipline("list", code=2)
    assert ".gitlab-ci.yml:1:23: error: a job: chosen stage nope does not exist" in said


def test_an_input_is_what_its_type_asks_for(shell):
    shell.write(
        ".gitlab-ci.yml",
        "spec:\n  inputs: {version: , fast: {type: boolean}, os: {type: array}}\n---\n"
        "a:\n  script: build $[[ inputs.version ]]\n"
        "  allow_failure: $[[ inputs.fast ]]\n  tags: $[[ inputs.os ]]\n",
    )
    said = json.loads(
        shell.shipline("preview", "--format=json", "--input=version=8", "--input=fast=true", "--input=os=[a, b]")
    )
    assert said["jobs"]["a"]["script"] == ["build 8"]
    assert (said["jobs"]["a"]["allow_failure"], said["jobs"]["a"]["tags"]) == (True, ["a", "b"])
    assert "provided value is not a boolean" in shell.shipline(
        "list", "--input=version=8", "--input=fast=perhaps", "--input=os=a", code=2
    )


def test_an_option_without_its_value_may_stand_before_the_file(shell):
    shell.write("ci.yml", "a: {script: x, rules: [{if: $CI_COMMIT_TAG}]}\n")
    assert shell.shipline("list", "--format", "csv", "--tag", "ci.yml").endswith("a,test,on_success,no,\n")


def test_a_ref_that_is_not_there_is_a_new_branch(shell):
    shell.write(
        ".gitlab-ci.yml", "a: {script: x, rules: [{if: $CI_COMMIT_BRANCH == 'topic' && $CI_COMMIT_TITLE}]}\n"
    )
    shell.git("init", "-q", "-b", "main")
    shell.git("add", ".")
    shell.git("commit", "-q", "-m", "First")
    assert names(shell) == []
    assert names(shell, "--ref", "topic") == ["a"]
