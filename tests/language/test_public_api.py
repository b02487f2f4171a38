"""The room stands alone: it imports nothing that could reach beyond the values it is given."""

import subprocess
import sys

import shipline.language
from shipline.language import Context, MemoryLoader, compile, lint

OUTSIDE = {"aiohttp", "asyncio", "click", "http.client", "socket", "sqlite3", "ssl", "subprocess", "urllib.request"}


def test_importing_it_brings_no_way_out():
    code = "import sys, shipline.language; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert OUTSIDE & set(loaded) == set()
    assert {name.split(".")[1] for name in loaded if name.startswith("shipline.")} == {"language"}


def test_every_public_name_is_there():
    assert all(hasattr(shipline.language, name) for name in shipline.language.__all__)


def test_a_pipeline_in_three_lines():
    loader = MemoryLoader({"ci/test.yml": "test: {script: make test, needs: [build]}"})
    pipeline = compile("include: ci/test.yml\nbuild: {stage: build, script: make}", Context(ref="main"), loader)
    assert [(job.name, job.stage) for job in pipeline.jobs] == [("test", "test"), ("build", "build")]


def test_findings_are_data():
    (finding,) = lint("build: {script: make, imge: alpine}\n", Context())
    assert (finding.severity, finding.line, finding.column) == ("error", 1, 23)
    assert finding.hint == "did you mean `image`?"
    assert finding.source == "build: {script: make, imge: alpine}"


def test_the_same_input_gives_the_same_pipeline():
    text = "variables: {A: $B, B: x}\na: {script: x, parallel: {matrix: [{C: [1, 2]}]}}\n"
    assert compile(text, Context()) == compile(text, Context())
