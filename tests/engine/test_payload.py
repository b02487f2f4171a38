"""The payload that a runner gets, field by field."""

import json

import msgspec
import pytest
from tests.engine.examples import COMMIT, SHA, compiled

from shipline.engine.payload import Origin, make_payload
from shipline.engine.records import ProjectVariable
from shipline.protocol.payload import Credentials, decode, encode

ORIGIN = Origin("file:///project", "group/app", "app")
SEED = """
build-job:
  stage: build
  tags: [kubernetes]
  image: {name: registry.example.com/library/docker:latest, entrypoint: [""]}
  services:
    - name: registry.example.com/library/docker:dind
      alias: docker
      command: ["--tls=false"]
      variables: {A: b}
  timeout: 10 minutes
  before_script: [one, two]
  script: [three]
  after_script: [four]
"""


def payload(text: str, name: str, **changes):
    live = compiled(text, **changes)
    job = msgspec.structs.replace(live.jobs[name], queued_at=10.0, started_at=12.5)
    return make_payload(live, job, ORIGIN, [])


def test_the_seeds_build_job():
    made = payload(SEED, "build-job")
    assert [(step.name, step.script, step.timeout) for step in made.steps] == [
        ("script", ["one", "two", "three"], 600),
        ("after_script", ["four"], 600),
    ]
    assert (made.image.name, made.image.entrypoint) == ("registry.example.com/library/docker:latest", [""])
    (service,) = made.services
    assert (service.alias, service.command) == ("docker", ["--tls=false"])
    assert [(v.key, v.value) for v in service.variables] == [("A", "b")]
    assert made.runner_info.timeout == 600
    assert (made.job_info.project_full_path, made.job_info.stage) == ("group/app", "build")
    assert made.job_info.time_in_queue_seconds == 2.5


def test_it_goes_over_the_wire_unchanged():
    made = payload(SEED, "build-job")
    assert decode(encode(made)) == made


def test_what_to_check_out():
    git = payload("job: {script: [a]}\n", "job").git_info
    assert (git.repo_url, git.ref, git.sha, git.ref_type, git.depth) == (
        "file:///project",
        "main",
        SHA,
        "branch",
        20,
    )
    assert git.refspecs == [f"+{SHA}:refs/pipelines/1", "+refs/heads/main:refs/remotes/origin/main"]
    tagged = payload("job: {script: [a]}\n", "job", commit=msgspec.structs.replace(COMMIT, ref="v1", is_tag=True))
    assert (tagged.git_info.ref_type, tagged.git_info.refspecs[1]) == ("tag", "+refs/tags/v1:refs/tags/v1")


@pytest.mark.parametrize(("written", "depth"), [("3", 3), ("''", 0), ("'0'", 0), ("'7 or so'", 7), ("none", 0)])
def test_the_depth_that_a_job_asks_for(written, depth):
    git = payload(f"job: {{variables: {{GIT_DEPTH: {written}}}, script: [a]}}\n", "job").git_info
    assert git.depth == depth
    every = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
    assert git.refspecs[1:] == (["+refs/heads/main:refs/remotes/origin/main"] if depth else every)


def test_each_job_has_a_token_of_its_own():
    text = "a: {script: [a]}\nb: {script: [b]}\n"
    live = compiled(text)
    tokens = {make_payload(live, live.jobs[name], ORIGIN, []).token for name in ("a", "b")}
    assert len(tokens) == 2


def test_credentials_and_masked_variables_reach_the_runner():
    live = compiled("job: {script: [a]}\n")
    login = Credentials("registry", "registry.example.com", "ada", "pass")
    origin = msgspec.structs.replace(ORIGIN, credentials=(login,))
    made = make_payload(live, live.jobs["job"], origin, [ProjectVariable("TOKEN", "s3cret-value", masked=True)])
    assert made.credentials == [login]
    assert [(v.value, v.public) for v in made.variables if v.masked and v.key == "TOKEN"] == [
        ("s3cret-value", False)
    ]


def test_hooks():
    made = payload("job: {hooks: {pre_get_sources_script: [echo pre]}, script: [a]}\n", "job")
    assert [(hook.name, hook.script) for hook in made.hooks] == [("pre_get_sources_script", ["echo pre"])]


def test_steps_go_out_as_a_text_in_place_of_a_script():
    made = payload("job:\n  run:\n    - {name: a, func: ./f, inputs: {n: 1, x: true}}\n", "job")
    assert made.steps == []
    assert json.loads(made.run) == [{"name": "a", "func": "./f", "inputs": {"n": 1, "x": True}}]
    assert b'"run"' not in encode(payload(SEED, "build-job"))
