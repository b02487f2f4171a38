"""What a mistake is told: its place to the column, and what to do about it."""

import pytest

from shipline.language import Context, MemoryLoader, lint

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
    ("spec:\n  inputs:\n    n: {type: number, default: x}\n---\na: {script: x}\n", 3, 8, None),
]


@pytest.mark.parametrize(("text", "line", "column", "told"), MISTAKES)
def test_a_mistake_has_its_place_and_advice(text, line, column, told):
    found = lint(text, Context())
    assert (found[-1].line, found[-1].column) == (line, column)
    assert told is None or told in found[-1].hint


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
