"""Files broken in ten thousand ways: each is compiled or refused, quickly, and never ends in a traceback."""

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from shipline.language import Context, LanguageError, MemoryLoader, compile
from shipline.language.compiler import Compilation, run
from shipline.language.documents import read_documents
from shipline.language.explain import explained
from shipline.language.keywords.job import KEYWORDS
from shipline.language.presentation import pipeline_data
from shipline.language.values import plain

DATA = Path(__file__).parent / "data"
TEMPLATES = {
    str(path.relative_to(DATA / "templates")): path.read_text() for path in (DATA / "templates").rglob("*.yml")
}
SEEDS = [
    case["yaml"]
    for table in ("config", "validity", "structure")
    for case in map(json.loads, (DATA / f"{table}.jsonl").read_text().splitlines())
    if len(case["yaml"]) < 1500
]
ROUNDS = 10
PER_ROUND = 1500
SLOWEST = 1.0
SCRAPS = [
    *("a", "b", ": ", "- ", "{", "}", "[", "]", "&x ", "*x", "!reference ", "<<: *x", "|\n", ">-\n", "'", '"', "#"),
    *("\n", "\t", "  ", "null", "true", "1", "1.5", "-1", "~", "0x1f", "2020-01-01", "$X", "$[[ inputs.a ]]", "${"),
    *(
        "%X%",
        "extends: a",
        "rules:",
        "when: manual",
        "needs: [a]",
        "include: x.yml",
        "parallel: 3",
        "\x00",
        "\ufeff",
    ),
    *(
        "é",
        "😀",
        "---\n",
        "...\n",
        "spec: {}\n---\n",
        "script",
        "stage",
        "default:",
        "workflow:",
        ".a",
        "/a(/",
        "=~",
    ),
    *("&&", "!!int ", "? ", "!!binary ", "<<: [*x]", "inherit: ", "trigger: ", "variables: "),
]


def mutated(text: str, chance: random.Random) -> str:
    """A text with one to four changes: pieces cut, doubled, swapped, or scraps put in."""
    for _ in range(chance.randint(1, 4)):
        at, to = sorted(chance.randint(0, len(text)) for _ in range(2))
        to = min(to, at + 40)
        lines = text.split("\n")
        match chance.randint(0, 6):
            case 0:
                text = text[:at] + text[to:]
            case 1:
                text = text[:to] + text[at:to] + text[to:]
            case 2 | 3:
                text = text[:at] + chance.choice(SCRAPS) + text[at:]
            case 4:
                text = text[:at] + chance.choice(SCRAPS) + text[to:]
            case 5:
                line = chance.randrange(len(lines))
                lines[line] = " " * chance.randint(0, 6) + lines[line].lstrip()
                text = "\n".join(lines)
            case _:
                chance.shuffle(lines)
                text = "\n".join(lines) if chance.random() < 0.3 else text
    return text


@pytest.mark.parametrize("number", range(ROUNDS))
def test_no_mutation_brings_it_down(number):
    chance = random.Random(number)
    loader = MemoryLoader(files={"x.yml": "x: {script: x}\n"}, templates=TEMPLATES)
    for _ in range(PER_ROUND):
        text = mutated(chance.choice(SEEDS), chance)
        began = time.process_time()
        try:
            done = Compilation(Context(changed=["a"], files=["b"]))
            json.dumps(pipeline_data(run(done, text, loader)))
        except LanguageError as error:
            assert error.findings, text
            assert all(finding.message for finding in error.findings), text
        except Exception as error:
            pytest.fail(f"{type(error).__name__}: {error}\n{text}")
        assert time.process_time() - began < SLOWEST, text


@pytest.mark.parametrize("name", sorted(TEMPLATES)[::4])
def test_no_mutation_of_a_template_does(name):
    chance = random.Random(name)
    for _ in range(20):
        text = mutated(TEMPLATES[name], chance)
        try:
            compile(text, Context(), MemoryLoader(templates=TEMPLATES))
        except LanguageError as error:
            assert error.findings


STRANGE = [
    *(None, "", 0, -1, 1.5, True, False, [], {}, ["a"], {"a": "b"}, [["a", ["b"]]], [None], {"": None}, "$X", "a"),
    *("x" * 300, "/(/", "1 day", [1], [{}], {"job": "a"}, {"name": "x"}, 10**30, {"if": "$A"}, [{"if": "$A == "}]),
    *("..", "main", "never", "manual", {"matrix": [{"A": ["b"]}]}, {"paths": ["a"]}, [{"a": 1, "b": [2]}]),
]


def strange(value: Any, chance: random.Random) -> Any:
    """A configuration in which one value, somewhere, is of another kind."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(list(value))
        return {**value, key: strange(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.7:
        at = chance.randrange(len(value))
        return [*value[:at], strange(value[at], chance), *value[at + 1 :]]
    if isinstance(value, dict) and chance.random() < 0.5:
        return {**value, chance.choice([*KEYWORDS, "rules", "needs", "parallel"]): chance.choice(STRANGE)}
    return chance.choice(STRANGE)


@pytest.mark.parametrize("number", range(4))
def test_no_value_of_another_kind_brings_it_down(number):
    chance = random.Random(number)
    trees = [plain(read_documents(text, "x")[0].value) for text in SEEDS if well_formed(text)]
    for _ in range(1500):
        text = json.dumps(strange(chance.choice(trees), chance))
        try:
            done = Compilation(Context(changed=["a"], files=["b"]))
            run(done, text, MemoryLoader())
            for job in done.root.jobs:
                explained(done, job.name)
        except LanguageError as error:
            assert error.findings, text
        except Exception as error:
            pytest.fail(f"{type(error).__name__}: {error}\n{text}")


def well_formed(text: str) -> bool:
    try:
        json.dumps([plain(document.value) for document in read_documents(text, "x")])
    except (LanguageError, TypeError):
        return False
    return True
