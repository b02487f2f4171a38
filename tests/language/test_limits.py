"""Files that would eat the machine: each is bounded, quickly."""

import gc
import time

import pytest

from shipline.language import Context, LanguageError, MemoryLoader, compile

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
DOUBLING = ", ".join(f"V{number}: $V{number + 1}$V{number + 1}" for number in range(40))
REFUSED = {
    "aliases that explode": (BOMB, "too big"),
    "an alias of itself": ("a: &a [*a]", "holds itself"),
    "two megabytes": ("a: {script: " + "x" * (2 << 20) + "}", "too big"),
    "a hundred levels": ("a: " + "[" * 101 + "]" * 101, "too deep"),
    "levels through aliases": (
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 300)),
        "too deep",
    ),
    "references that go on and on": (
        "".join(f"j{n}: {{script: [!reference [j{n + 1}, script]]}}\n" for n in range(900)) + "j900: {script: x}",
        "too deep",
    ),
    "a file that includes itself": ("include: self.yml\na: {script: x}", "Maximum of 150 nested includes"),
    "three documents": ("a: 1\n---\nb: 2\n---\nc: 3\n", "too many documents"),
    "an expression of a hundred words": (
        "a: {script: x, rules: [{if: '" + " || ".join(["$A"] * 60) + "'}]}",
        "invalid expression syntax",
    ),
}
FINE = {
    "values that double forty times": f"variables: {{{DOUBLING}}}\na: {{script: x, rules: [{{exists: [$V0]}}]}}",
    "a chain of variables": "variables: {"
    + ", ".join(f"V{n}: $V{n + 1}" for n in range(5000))
    + "}\na: {script: x}",
    "braces in a glob": "a: {script: x, rules: [{changes: ['" + "{a,b}" * 30 + "'], when: never}, {when: always}]}",
    "blocks that never close": "spec: {}\n---\na: {script: '" + "$[[ " * 100_000 + "'}",
    "numbers without end": f"a: {{script: x, variables: {{A: {'9' * 6000}, B: {'9' * 5000}:30}}}}",
    "two hundred copies of fifty jobs": "".join(f"j{n}: {{script: x, parallel: 200}}\n" for n in range(50)),
}


def within_two_seconds(text):
    began = time.process_time()
    try:
        return compile(text, Context(changed=["a"], files=[]), MemoryLoader({"self.yml": "include: self.yml"}))
    finally:
        assert time.process_time() - began < 2


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    text, told = REFUSED[name]
    with pytest.raises(LanguageError, match=told):
        within_two_seconds(text)


@pytest.mark.parametrize("name", FINE)
def test_fine(name):
    within_two_seconds(FINE[name])


def test_cost_is_linear_in_jobs():
    def seconds(jobs):
        job = "  extends: .b\n  script: x\n  rules: [{if: $CI}]\n  variables: {A: $CI_COMMIT_SHA}\n"
        text = ".b: {image: alpine}\n" + "".join(f"j{n}:\n{job}" for n in range(jobs))
        began = time.process_time()
        compile(text, Context())
        return time.process_time() - began

    gc.disable()
    try:
        seconds(100)
        assert min(seconds(2000) for _ in range(3)) < 30 * min(seconds(200) for _ in range(3))
    finally:
        gc.enable()


def chain(levels, first):
    """A job that extends through that many levels, written from its end or from its beginning."""
    jobs = [
        "a: {extends: .t1}",
        *(f".t{n}: {{extends: .t{n + 1}}}" for n in range(1, levels)),
        f".t{levels}: {{script: x}}",
    ]
    return "\n".join(jobs if first == "a" else reversed(jobs))


@pytest.mark.parametrize("first", ["a", "last"])
def test_extends_goes_eleven_levels_deep_and_no_deeper(first):
    assert compile(chain(11, first), Context()).jobs[0].script == ["x"]
    with pytest.raises(LanguageError, match="nesting too deep in `extends`"):
        compile(chain(12, first), Context())


def test_references_go_ten_levels_deep():
    text = "".join(f"j{n}: {{script: [!reference [j{n + 1}, script]]}}\n" for n in range(9)) + "j9: {script: [x]}\n"
    assert compile(text, Context()).jobs[0].script == ["x"]
