"""Where values come from, what rules said, how variables got their values."""

import pytest

from shipline.language import Context, LanguageError, MemoryLoader, Variable, explain, merged

TEXT = """\
include: base.yml
default: {retry: 1}
variables: {REGION: eu, URL: https://$REGION.example.com}
deploy:
  extends: .deploy
  variables: {REGION: us}
  rules:
    - if: $CI_COMMIT_TAG
    - if: $CI_COMMIT_BRANCH == "main"
      variables: {REGION: asia}
"""
BASE = ".common:\n  image: alpine\n.deploy:\n  extends: .common\n  script: [deploy]\n"


def explained(**context):
    return explain(TEXT, Context(**context), "deploy", MemoryLoader({"base.yml": BASE}))


def test_each_value_names_its_file_and_way():
    origins = {item.key: (item.via, str(item.place)) for item in explained().values}
    assert origins["image"] == ("extends .deploy -> .common", "base.yml:2:10")
    assert origins["script"] == ("extends .deploy", "base.yml:5:11")
    assert origins["retry"] == ("default", ".gitlab-ci.yml:2:18")


def test_each_rule_says_why():
    found = explained()
    assert [(item.matched, item.why) for item in found.rules] == [
        (False, "if: $CI_COMMIT_TAG is false"),
        (True, 'if: $CI_COMMIT_BRANCH == "main" is true'),
    ]
    assert not explained(ref="topic").added
    assert explained(ref="topic").why == "no rule matches"


def test_a_variable_shows_its_level_what_it_won_over_and_what_it_reads():
    found = {item.key: item for item in explained(project_variables=[Variable("REGION", "moon")]).variables}
    assert (found["REGION"].value, found["REGION"].level) == ("moon", "project")
    assert [(item.level, item.value) for item in found["REGION"].overridden] == [
        ("rules", "asia"),
        ("job", "us"),
        ("global", "eu"),
    ]
    assert (found["URL"].value, found["URL"].reads) == ("https://moon.example.com", ["REGION"])


def test_a_masked_variable_is_never_shown():
    found = {item.key: item for item in explained(variables=[Variable("TOKEN", "s3cret", masked=True)]).variables}
    assert (found["TOKEN"].value, found["TOKEN"].written) == ("[MASKED]", "[MASKED]")


def test_a_job_that_is_not_there():
    with pytest.raises(LanguageError, match="did you mean `deploy`"):
        explain(TEXT, Context(), "deplyo", MemoryLoader({"base.yml": BASE}))


def test_the_merged_file_has_no_include_and_no_extends():
    data = merged(TEXT, Context(), MemoryLoader({"base.yml": BASE}))
    assert "include" not in data
    assert data["deploy"]["image"] == "alpine"
    assert "extends" not in data["deploy"]


def test_what_a_rule_decides_comes_from_the_rules():
    text = (
        "a: {script: x}\n"
        "b:\n  script: x\n  needs: []\n"
        "  rules:\n    - if: $CI_COMMIT_BRANCH\n      needs: [a]\n"
        "      allow_failure: true\n      interruptible: true\n"
    )
    found = explain(text, Context(ref="main"), "b", MemoryLoader({}))
    ways = {origin.key: (origin.via, origin.place.line) for origin in found.values}
    assert ways["needs"] == ways["allow_failure"] == ways["interruptible"] == ("rules", 6)
