"""`shipline lint`: findings with their places, for people and programs."""

import json

GOOD = "build:\n  script: make\n"
BAD = "build:\n  imge: alpine\n  script: make\n"


def test_a_valid_file(shell):
    shell.write(".gitlab-ci.yml", GOOD)
    assert shell.shipline("lint") == ".gitlab-ci.yml is valid.\n"


def test_an_error_shows_its_line_a_caret_and_what_was_meant(shell):
    shell.write(".gitlab-ci.yml", BAD)
    said = shell.shipline("lint", code=1)
    assert ".gitlab-ci.yml:2:3: error: jobs:build config contains unknown keys: imge\n" in said
    assert " 2 |   imge: alpine\n   |   ^\n   hint: did you mean `image`?\n" in said
    assert "1 error in .gitlab-ci.yml." in said


def test_json_has_place_and_message(shell):
    shell.write(".gitlab-ci.yml", BAD)
    said = json.loads(shell.shipline("lint", "--format", "json", code=1))
    assert said["valid"] is False
    (error,) = said["errors"]
    assert (error["file"], error["line"], error["column"]) == (".gitlab-ci.yml", 2, 3)
    assert "unknown keys: imge" in error["message"]
    assert said["warnings"] == []


def test_an_error_in_an_included_file_names_that_file(shell):
    shell.write("ci/base.yml", ".base:\n  image: [alpine]\n")
    shell.write(".gitlab-ci.yml", "include: ci/base.yml\nbuild:\n  extends: .base\n  script: make\n")
    said = shell.shipline("lint", code=1)
    assert "ci/base.yml:2:10: error: jobs:build:image config should be a hash or a string" in said
    assert " 2 |   image: [alpine]" in said


def test_warnings_do_not_fail_unless_asked(shell):
    shell.write(".gitlab-ci.yml", "a:\n  script: x\n  script: y\n")
    assert "warning: `script` is defined twice" in shell.shipline("lint")
    shell.shipline("lint", "--strict", code=1)


def test_sarif_and_code_quality(shell):
    shell.write(".gitlab-ci.yml", BAD)
    sarif = json.loads(shell.shipline("lint", "--format", "sarif", code=1))
    (result,) = sarif["runs"][0]["results"]
    assert (sarif["version"], result["level"]) == ("2.1.0", "error")
    region = result["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 2, "startColumn": 3}
    (quality,) = json.loads(shell.shipline("lint", "--format", "codequality", code=1))
    assert (quality["severity"], quality["location"]) == (
        "major",
        {"path": ".gitlab-ci.yml", "lines": {"begin": 2}},
    )


def test_a_file_with_the_other_ending_is_pointed_out(repository):
    repository.commit(**{".gitlab-ci.yaml": GOOD})
    assert "There is .gitlab-ci.yaml: name it, or call it .gitlab-ci.yml" in repository.shipline("lint", code=2)
    assert "--file .gitlab-ci.yaml" in repository.shipline("run", code=2)
    assert "build" in repository.shipline("list", "--file", ".gitlab-ci.yaml")


def test_standard_input_and_a_named_file(shell):
    assert "is valid" in shell.shipline("lint", "-", stdin=GOOD)
    shell.write("other.yml", GOOD)
    assert shell.shipline("lint", "other.yml") == "other.yml is valid.\n"


def test_no_file_is_wrong_usage(shell):
    assert "There is no file" in shell.shipline("lint", "missing.yml", code=2)


def test_a_component_of_a_project_on_this_disk(shell):
    shell.write(
        "lib/templates/go.yml", "spec:\n  inputs: {version: }\n---\nbuild: {script: 'go $[[ inputs.version ]]'}\n"
    )
    shell.write(
        ".gitlab-ci.yml",
        "include:\n  - component: gitlab.example.com/group/lib/go@main\n    inputs: {version: '1.2'}\n",
    )
    assert "is valid" in shell.shipline("lint", "--project", "group/lib=lib")
    assert "go 1.2" in shell.shipline("preview", "--project", "group/lib=lib")


def test_all_that_is_wrong_is_told_at_once_in_the_file_s_order(shell):
    shell.write(
        ".gitlab-ci.yml", "a:\n  stage: tets\n  script: x\n  needs: [b, d]\nb:\n  scirpt: x\nc:\n  script: [1]\n"
    )
    said = json.loads(shell.shipline("lint", "--format", "json", code=1))
    assert [(error["line"], error.get("hint")) for error in said["errors"]] == [
        (2, "did you mean `test`?"),
        (4, None),
        (5, "did you mean `script`?"),
        (8, "put it in quotes"),
    ]


def test_the_caret_stands_under_the_error_behind_wide_characters_and_in_long_lines(shell):
    shell.write(".gitlab-ci.yml", "a: {script: 日本, imge: x}\n")
    said = shell.shipline("lint", code=1).splitlines()
    assert said[1:3] == [" 1 | a: {script: 日本, imge: x}", "   |                   ^"]
    shell.write(".gitlab-ci.yml", f"a: {{script: {'x' * 200}, imge: x}}\n")
    line, caret = shell.shipline("lint", code=1).splitlines()[1:3]
    assert line[caret.index("^") :].startswith("imge: x")
    assert len(line) < 120


def test_what_changes_nothing_here_is_told(shell):
    shell.write(".gitlab-ci.yml", "a: {script: [a], environment: {name: x, kubernetes: {namespace: app}}}\n")
    shown = shell.shipline("lint")
    assert "job 'a': `environment:kubernetes` has no effect" in shown and ".gitlab-ci.yml is valid." in shown
