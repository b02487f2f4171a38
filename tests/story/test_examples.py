"""The examples are what they say they are."""

import difflib
import json
from pathlib import Path

import yaml

from shipline.runner import ConfigFile

ROOT = Path(__file__).parents[2]
FIRST, SECOND = ROOT / "examples" / "calculator", ROOT / "examples" / "calculator-exercises"


def changes(name):
    """The lines that the second commit takes out of a file (-) and puts in (+), without blank ones."""
    before, after = ((folder / name).read_text().splitlines() for folder in (FIRST, SECOND))
    lines = [line for line in difflib.ndiff(before, after) if line[0] in "-+" and line[2:].strip()]
    return [line for line in lines if not line[2:].startswith("#")]


def test_the_project_is_the_guides_five_files():
    assert sorted(path.name for path in FIRST.iterdir()) == [
        ".gitlab-ci.yml",
        "Dockerfile",
        "app.py",
        "calculator.yaml",
        "requirements.txt",
    ]
    guide = ROOT / "tests" / "language" / "data" / "seed.gitlab-ci.yml"
    assert (FIRST / ".gitlab-ci.yml").read_bytes() == guide.read_bytes().rstrip() + b"\n"


def test_the_second_commit_changes_the_version():
    assert changes("app.py") == ['-         "version": "1.0"', '+         "version": "1.1"']


def test_the_second_commit_has_the_test_stage_of_exercise_1():
    added = [line[2:].strip() for line in changes(".gitlab-ci.yml") if line[0] == "+"]
    assert added[2:] == [
        "test-job:",
        "stage: test",
        "image: python:3.9-slim",
        "script:",
        "- pip install -r requirements.txt  # the tests import the application",
        "- pip install pytest",
        "- pytest tests/",
    ]


def test_the_second_commit_has_the_probes_of_exercise_2():
    assert all(line[0] == "+" for line in changes("calculator.yaml"))
    deployment, _ = yaml.safe_load_all((SECOND / "calculator.yaml").read_text())
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    get = {"path": "/", "port": 30194}
    assert container["livenessProbe"] == {"httpGet": get, "initialDelaySeconds": 30, "periodSeconds": 10}
    assert container["readinessProbe"] == {"httpGet": get, "initialDelaySeconds": 5, "periodSeconds": 5}


def test_the_runners_configuration_is_understood_whole():
    file = ConfigFile.load(ROOT / "examples" / "runner" / "config.toml")
    assert file.warnings == []
    (runner,) = file.runners
    assert runner.tags == ["kubernetes"] and runner.kubernetes.privileged
    (mount,) = runner.kubernetes.volumes.config_map
    assert (mount.mount_path, mount.sub_path) == ("/etc/docker/daemon.json", "daemon.json")
    assert json.loads((ROOT / "examples" / "runner" / "daemon.json").read_text()) == {
        "registry-mirrors": ["http://registry.example.com"]
    }
