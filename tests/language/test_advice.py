"""What a mistake is told: its place to the column, and what to do about it."""

import pytest

from shipline.language import Context, LanguageError, MemoryLoader, compile, lint

MISTAKES = [
    (
        "a:\n  script: x\n  extends:\n    - .base\n    - .bsae\n.base: {stage: test}\n",
        5,
        7,
        "did you mean `.base`?",
    ),
    ("a:\n\tscript: x\n", 2, 1, "a tab stands here"),
    ("a:\n  script: x\n   stage: test\n", 3, 9, "indented more than the one above"),
    ('a:\n  script: "echo\nb:\n  script: x\n', 2, 11, "never closed"),
    ("a:\n  script:\n    - 'it's'\n", 3, 11, "written twice"),
    ("a:\n  script:\n    - %x\n", 3, 7, "begins with % in quotes"),
    ('a:\n  coverage: "\\d"\n', 2, 14, "use single quotes"),
    ("a:\n  only: [*main]\n", 2, 10, "stands in quotes"),
    (".b: &base {image: x}\na:\n  <<: *bsae\n  script: x\n", 3, 7, "`base`"),
    ("a:\nscript: x\n", 2, 1, "indent it under"),
    ("a:\n  stage: test\n", 1, 1, "give it a `script:`"),
    ("a:\n  before_script: [x]\n", 1, 1, "give it a `script:`"),
    ("stages: [unit tests]\na:\n  script: x\n", 3, 3, "a job without `stage:`"),
    ("spec: {inputs: {n: }}\na: {script: x}\n", 1, 1, "end it with a line `---`"),
    ("a: make\n", 1, 1, "a: {script: make}"),
    ("stages: [x]\n.a: {script: x}\n", 1, 1, "only a template"),
    ("a: {script: x, tags: docker}\n", 1, 22, "tags: [docker]"),
    ("a: {script: x, cache: {paths: dist}}\n", 1, 31, "paths: [dist]"),
    ('a: {script: x, artifacts: {paths: [x], untracked: "yes"}}\n', 1, 51, "without quotes"),
    ("a: {script: x, stage: 1}\n", 1, 23, "in quotes it is text"),
    ("a: {script: x, when: delayed}\n", 1, 4, "start_in: 30 minutes"),
    ("a:\n  script: x\n  rules:\n    - if: $A = 'x'\n", 4, 14, "`==`"),
    ("a:\n  script: x\n  rules:\n    - if: '$A && ! $B'\n", 4, 18, "no `!` alone"),
    ("a:\n  script: x\n  rules:\n    - if: $A and $B\n", 4, 14, "write `&&`"),
    ("a:\n  script: x\n  rules:\n    - if: $A == main\n", 4, 17, "text stands in quotes"),
    ("a:\n  script: x\n  rules:\n    - if: $A =~ /(x/\n", 4, 17, "missing )"),
    ("a: {script: x}\nb: {script: x, dependencies: [A]}\n", 2, 31, "`a`"),
    ("a:\n<<<<<<< HEAD\n  script: x\n=======\n  script: y\n>>>>>>> b\n", 2, 1, "a merge conflict"),
    ("a:\n  script:\n    - *.py\n", 3, 7, "begins with * in quotes"),
    ("a:\n  script:\n    - [ -f x ] && echo y\n", 3, 16, "the whole line in single quotes"),
    ('a:\n  script: x\n  rules:\n    - if: "$A" == "b"\n', 4, 16, "the whole line in single quotes"),
    ("a:\n  needs: [b, c\n  script: x\n", 3, 9, "the bracket that opens in line 2"),
    ("a:\n    stage: x\n  script: x\n", 3, 3, "no line above begins in column 3"),
    ("a:\n  script:\n    - x\n    when: manual\n", 4, 5, "no item of the list above"),
    ("a:\n  stage:build\n  script: x\n", 3, 9, "after `stage:`"),
    ("a\n  script: x\n", 2, 9, "`a` lacks its colon"),
    ("a:\n  script:x\n", 1, 1, "after `script:`"),
    ("a:\n\u00a0\u00a0script: x\n", 2, 1, "U+00A0"),
    ("a:\nscript:\n  - x\n", 2, 1, "belongs to a job"),
    ("a:\n  - script: x\n", 1, 1, "a job is a mapping"),
    ("jobs:\n  a: {script: x}\n", 1, 1, "jobs stand at the top level"),
    ("a:\n  script: x\n  only: [main]\n  rules: [{when: always}]\n", 3, 3, "keep one of them"),
    ("stages: [build]\na: {script: x, stage: deploy}\n", 2, 23, "add `deploy` to `stages:`"),
    ("a:\n  script: x\n  rules:\n    if: $A\n", 4, 5, "each rule begins with `- `"),
    ("a:\n  script: x\n  rules:\n    - branches: [main]\n", 4, 7, "a rule asks with `if`"),
    ("a: {script: x, paths: [dist]}\n", 1, 16, "`paths` belongs under `artifacts:`"),
    ("a: {trigger: b/c, image: x}\n", 1, 19, "a trigger job runs nothing itself"),
    ("default: {stage: x}\na: {script: x}\n", 1, 11, "`stage` has no default"),
    ("a: {script: x, include: b.yml}\n", 1, 16, "at the top level"),
    (".b: {script: [x]}\na: {script: [!reference [.b]]}\n", 1, 5, "name one of its keywords"),
    ("variables: {A: {HOST: b}}\na: {script: x}\n", 1, 17, "a variable is one text"),
    ("a: {extend: .b}\n.b: {script: x}\n", 1, 1, "`extends`"),
    ("a: {script: x, parallel: {matrix: [{B: c, PY: [3.10, 3.11]}]}}\n", 1, 47, "put others in quotes"),
    ("a:\n  script: |\n  echo b\n  echo: c\n", 4, 3, "the text of a `|` is indented deeper"),
    ("a:\n  image: node: 20\n  script: x\n", 2, 14, "without a space: node:20"),
    ("a: {script: x, services: [{postgres: 16}]}\n", 1, 27, "without a space: postgres:16"),
    (".a: &a {image: x}\nb: {extends: *a, script: y}\n", 1, 5, "<<: *a"),
    ("a: {script: {{ b }}}\n", 1, 14, "stands in quotes"),
    ("a: {script: x, tags: [b,, c]}\n", 1, 25, "a comma too many"),
    ("a:\n  runs-on: b\n  steps: [{run: c}]\n", 1, 1, "GitLab's word for it is `tags`"),
    ("types: [build]\na: {script: x, type: build}\n", 2, 16, "GitLab's word for it is `stage`"),
    ("env: {A: b}\n", 1, 1, "GitLab's word for it is `variables`"),
    ("a: {script: x, artifacts: {reports: {cobertura: x}}}\n", 1, 38, "coverage_format: cobertura"),
    ("a: {script: x, depends_on: [b]}\n", 1, 16, "GitLab's word for it is `needs`"),
    ("a: {script: x, artifacts: dist}\n", 1, 27, "artifacts: {paths: [dist]}"),
    ('a: {script: x, allow_failure: "true"}\n', 1, 31, "without quotes"),
    ("a:\n  script: x\n  environment:\n    name: p\n    on_stop: b\n", 5, 14, None),
    ("a:\n  script: [!reference [.b, script]]\n", 2, 12, "there is no `.b` here"),
    ("spec:\n  inputs:\n    n: {type: number, default: x}\n---\na: {script: x}\n", 3, 8, None),
]


@pytest.mark.parametrize(("text", "line", "column", "told"), MISTAKES)
def test_a_mistake_has_its_place_and_advice(text, line, column, told):
    found = lint(text, Context())
    assert (found[-1].line, found[-1].column) == (line, column)
    assert told is None or told in found[-1].hint


TAKEN = [
    ("a:\n  script:\n    - ! grep b c\n", 3, "`!` is a tag of YAML's"),
    ("a:\n  script:\n    -make\n    -make test\n", 3, "a dash that no space follows"),
    ("a: {script: x, only: [merge_request]}\n", 1, "did you mean `merge_requests`?"),
    ("a: {script: x, cache: {paths: [b], policy: pull_push}}\n", 1, "pull_push is no policy"),
    ("a: {script: x, image: python 3.12}\n", 1, "a blank in its name"),
    ("a: {script: x}\n---\nb: {script: x}\n", 3, "only the first document counts"),
    ("a: {script: x, environment: {name: b, auto_stop_in: soon}}\n", 1, "it never stops by itself"),
]


@pytest.mark.parametrize(("text", "line", "told"), TAKEN)
def test_what_gitlab_takes_for_something_else_is_a_warning(text, line, told):
    (found,) = lint(text, Context())
    assert (found.severity, found.line) == ("warning", line)
    assert told in found.message


def test_lines_may_end_in_other_ways():
    (finding,) = lint("a:\n  script: |\n  echo\r  c\r", Context())
    assert "could not find expected ':'" in finding.message


def test_a_mistake_in_a_file_that_is_included_twice_is_told_once():
    files = {"x.yml": "spec: {inputs: {n: {type: int}}}\n---\na: {script: x}\n"}
    text = "include: [{local: x.yml}, {local: x.yml}]\n"
    with pytest.raises(LanguageError) as refused:
        compile(text, Context(), MemoryLoader(files))
    assert len(refused.value.findings) == 1


ABSENT = """
include: [{remote: https://example.com/gone.yml}, {local: there.yml}]
a: {extends: [.elsewhere, .base], stage: faraway, needs: [unknown, there], tags: no-list}
b: {script: !reference [.elsewhere, script], image: [x]}
c: {variables: {A: 1}}
"""


def test_an_include_that_cannot_be_had_hides_nothing_else():
    files = {"there.yml": ".base: {image: {nmae: x}}\nthere: {script: [x], retry: 9}\n"}
    found = lint(ABSENT, Context(), MemoryLoader(files))
    assert [(item.file, item.line) for item in found if "gone.yml" in item.message] == [(".gitlab-ci.yml", 2)]
    told = {item.message.split()[0] for item in found}
    assert told >= {"jobs:a:tags", "jobs:a:image", "jobs:b:image", "jobs:there:retry"}
    words = " ".join(item.message for item in found)
    assert not any(part in words for part in ("elsewhere", "faraway", "unknown need", "jobs c", "script can't"))


def test_an_included_file_that_cannot_be_read_hides_nothing_else():
    found = lint("include: x.yml\na: {script: x, tags: no}\n", Context(), MemoryLoader({"x.yml": "b: [\n"}))
    assert {item.file for item in found} == {"x.yml", ".gitlab-ci.yml"}


def test_a_file_that_includes_itself_is_told_once():
    text = "include: [{local: .gitlab-ci.yml}, {local: .gitlab-ci.yml}]\na: {script: x}\n"
    (finding,) = lint(text, Context(), MemoryLoader({".gitlab-ci.yml": text}))
    assert "Maximum of 150" in finding.message and "includes itself" in finding.hint
