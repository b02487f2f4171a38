"""Artifacts in payloads: what a runner is to keep of a job, and what it is to fetch of earlier ones."""

import msgspec
from tests.engine.examples import compiled

from shipline.engine.dependencies import Archive, dependencies, gone, reported, sources, uploads
from shipline.engine.records import PipelineVariable
from shipline.language import Context, compile


class Shelf:
    """Every job that was asked about left an archive."""

    def archives(self, job_ids):
        return {number: Archive("artifacts.zip", 100 + number) for number in job_ids}


def names(live, name):
    return [job.name for job in sources(live, live.definitions[name])]


STAGES = """
stages: [build, test, deploy]
a: {stage: build, script: [x], artifacts: {paths: [a]}}
b: {stage: build, script: [x], parallel: 2}
c: {stage: test, script: [x], artifacts: {untracked: true}}
"""


def test_without_needs_all_jobs_of_earlier_stages():
    live = compiled(STAGES + "d: {stage: deploy, script: [x]}\ne: {stage: deploy, script: [x]}\n")
    assert names(live, "a") == []
    assert names(live, "c") == ["a", "b 1/2", "b 2/2"]
    assert names(live, "d") == ["a", "b 1/2", "b 2/2", "c"]


def test_dependencies_name_some_or_none():
    live = compiled(
        STAGES
        + "d: {stage: deploy, script: [x], dependencies: [b, c]}\n"
        + "e: {stage: deploy, script: [x], dependencies: []}\n"
    )
    assert names(live, "d") == ["b 1/2", "b 2/2", "c"]
    assert names(live, "e") == []


def test_needs_decide_and_may_want_no_artifacts():
    text = STAGES + (
        "d:\n  stage: deploy\n  script: [x]\n  needs:\n"
        "    - {job: a, artifacts: false}\n    - c\n    - {job: nobody, optional: true}\n"
    )
    assert names(compiled(text), "d") == ["c"]
    both = text + "  dependencies: [a, c]\n"
    assert names(compiled(both.replace("artifacts: false", "artifacts: true")), "d") == ["a", "c"]
    assert names(compiled(STAGES + "d: {stage: deploy, script: [x], needs: []}"), "d") == []


def test_a_need_may_name_some_of_a_matrix():
    text = """
build:
  script: [x]
  artifacts: {paths: [out]}
  parallel: {matrix: [{OS: [linux, mac]}]}
use:
  script: [x]
  needs: [{job: build, parallel: {matrix: [{OS: mac}]}}]
"""
    assert names(compiled(text), "use") == ["build: [mac]"]


def test_only_jobs_that_left_an_archive_have_a_file_and_all_are_listed():
    live = compiled(STAGES)
    found = dependencies(live, sources(live, live.definitions["c"]), Shelf(), "a-token")
    assert [(each.name, each.token) for each in found] == [
        ("a", "a-token"),
        ("b 1/2", "a-token"),
        ("b 2/2", "a-token"),
    ]
    assert [each.artifacts_file is not None for each in found] == [True, False, False]
    assert found[0].artifacts_file.size == 101


def test_jobs_whose_files_are_gone_are_named():
    live = compiled(STAGES)
    live.jobs["a"] = msgspec.structs.replace(live.jobs["a"], files_gone=True)
    assert gone(live, "c") == ["a"]
    assert gone(live, "a") == []


def test_what_jobs_reported_comes_in_the_order_of_the_jobs():
    live = compiled(STAGES)
    for name, value in (("b 1/2", "late"), ("a", "early")):
        live.jobs[name] = msgspec.structs.replace(live.jobs[name], dotenv=[PipelineVariable("V", value)])
    assert [v.value for v in reported(sources(live, live.definitions["c"]))] == ["early", "late"]


def written(text: str):
    job = compile(f"job:\n  script: [x]\n  artifacts: {text}\n", Context()).jobs[0]
    return [msgspec.to_builtins(each) for each in uploads(job.artifacts)]


def test_an_archive_as_runners_get_it():
    assert written("{expire_in: 1 day}") == []
    assert written("{untracked: true}") == [
        {
            "paths": None,
            "name": None,
            "untracked": True,
            "when": None,
            "expire_in": None,
            "artifact_type": "archive",
            "artifact_format": "zip",
        }
    ]
    assert written("{paths: [a, b], exclude: ['*.o'], when: on_failure, expire_in: 1 day, name: n}") == [
        {
            "paths": ["a", "b"],
            "exclude": ["*.o"],
            "name": "n",
            "when": "on_failure",
            "expire_in": "1 day",
            "artifact_type": "archive",
            "artifact_format": "zip",
        }
    ]


def test_reports_are_kept_whatever_becomes_of_the_job_and_in_the_order_in_which_they_are_written():
    found = written(
        "{when: on_success, expire_in: 1 week, reports: {junit: [a.xml, b.xml], dotenv: x.env, "
        "sast: gl-sast-report.json, coverage_report: {coverage_format: cobertura, path: c.xml}}}"
    )
    assert [(each["artifact_type"], each["artifact_format"], each["name"], each["when"]) for each in found] == [
        ("junit", "gzip", "junit.xml", "always"),
        ("dotenv", "gzip", ".env", "always"),
        ("sast", "raw", "gl-sast-report.json", "always"),
        ("cobertura", "gzip", "cobertura-coverage.xml", "always"),
    ]
    assert found[0]["paths"] == ["a.xml", "b.xml"]
    assert found[3]["paths"] == ["c.xml"]
    assert all(each["expire_in"] == "1 week" for each in found)
