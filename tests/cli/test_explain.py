"""`shipline explain`: why a job is there, where its values came from, how a variable gets its value."""

import json

FILE = """\
default: {image: alpine}
variables:
  IMAGE: registry.example.com/app:$TAG
  TAG: v1
.base:
  tags: [docker]
deploy:
  extends: .base
  variables: {TAG: v2}
  script: deploy $IMAGE
  rules:
    - if: $NOPE
      when: never
    - if: $CI_COMMIT_BRANCH
    - when: manual
"""


def test_each_value_and_rule_with_its_place(shell):
    shell.write(".gitlab-ci.yml", FILE)
    said = shell.shipline("explain", "deploy")
    assert "deploy (.gitlab-ci.yml:7) is added: rule 2 matches" in said
    assert "✗ 1. .gitlab-ci.yml:12  if: $NOPE is false" in said
    assert "✓ 2. .gitlab-ci.yml:14  if: $CI_COMMIT_BRANCH is true" in said
    assert "- 3. .gitlab-ci.yml:15  an earlier rule matched" in said
    assert "from default, .gitlab-ci.yml:1" in said
    assert "from extends .base, .gitlab-ci.yml:6" in said
    assert "IMAGE = registry.example.com/app:v2" in said
    assert "over top-level variables: v1" in said


def test_the_flow_of_one_variable(shell):
    shell.write(".gitlab-ci.yml", FILE)
    said = shell.shipline("explain", "deploy", "--variable", "IMAGE")
    assert said.index("TAG = v2") < said.index("IMAGE = registry.example.com/app:v2") < said.index("deploy uses it")


def test_a_job_that_is_kept_out(shell):
    shell.write(".gitlab-ci.yml", FILE)
    said = shell.shipline("explain", "deploy", "--variable", "NOPE=1")
    assert "is not added: rule 1 matches" in said


def test_json(shell):
    shell.write(".gitlab-ci.yml", FILE)
    said = json.loads(shell.shipline("explain", "deploy", "--format", "json"))
    assert (said["added"], said["rules"][1]["matched"], said["rules"][1]["line"]) == (True, True, 14)
    image = next(item for item in said["variables"] if item["key"] == "IMAGE")
    assert (image["value"], image["level"], image["reads"]) == ("registry.example.com/app:v2", "global", ["TAG"])


def test_an_unknown_job_names_the_nearest(shell):
    shell.write(".gitlab-ci.yml", FILE)
    assert "did you mean `deploy`?" in shell.shipline("explain", "deplyo", code=2)
