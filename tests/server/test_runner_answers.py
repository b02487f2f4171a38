"""What GitLab's own tests of its runner API assert, asked of this server."""

from __future__ import annotations

import gzip
import uuid
from typing import Any

import pytest
from tests.server.conftest import Agent, Running
from tests.server.test_pages_for_people import Browser


def upload(agent: Agent, job: dict[str, Any], data: bytes, kind: str, form: str, **more: Any) -> Any:
    return agent.server.call(
        "POST",
        f"/jobs/{job['id']}/artifacts",
        files={"file": ("a-file", data)},
        params={"artifact_type": kind, "artifact_format": form} | more,
        headers={"JOB-TOKEN": job["token"]},
    )


def pushed(repository: Any, text: str) -> None:
    repository.commit({".gitlab-ci.yml": text})
    repository.push()


def test_a_job_says_who_it_belongs_to_and_who_runs_it(server, project, agent):
    job = agent.job()
    info = job["job_info"]
    assert (info["id"], info["name"], info["project_id"]) == (job["id"], "build-job", project.id)
    assert info["namespace_id"] == info["root_namespace_id"] == project.namespace_id
    assert info["user_id"] == 1
    assert uuid.UUID(job["runner_info"]["uuid"]).version == 5
    assert set(job["git_info"]) >= {"repo_object_format", "protected", "refspecs", "depth", "before_sha"}


def test_a_runners_uuid_outlives_its_token(server, project, agent, repository):
    first = agent.job()["runner_info"]["uuid"]
    renewed = server.call("POST", "/runners/reset_authentication_token", {"token": agent.token})
    assert renewed.status_code == 201 and renewed.json()["token_expires_at"] is None
    assert agent.request().status_code == 403
    agent.token = renewed.json()["token"]
    repository.commit({"more": ""})
    repository.push()
    assert agent.job()["runner_info"]["uuid"] == first


def test_the_fields_of_a_payload_are_there_where_gitlab_has_them(project, agent, repository):
    text = """\
    build-job:
      tags: [kubernetes]
      image: alpine
      services: [{name: postgres, variables: {A: b}}]
      script: [a]
      after_script: [b]
      timeout: 20 minutes
      cache: {key: k, paths: [x], fallback_keys: [f]}
      artifacts: {paths: [out], exclude: [out/a], reports: {junit: j.xml}}
      variables: {RAW: {value: $X, expand: false}, EMPTY: ""}
    last: {stage: deploy, tags: [kubernetes], script: [a]}
    """
    agent.update(agent.job(), "success")
    agent.info["features"] |= {"upload_multiple_artifacts": True, "artifacts_exclude": True}
    pushed(repository, text.replace("\n    ", "\n").lstrip())
    job = agent.job()
    by_key = {variable["key"]: variable for variable in job["variables"]}
    assert by_key["RAW"] == {"key": "RAW", "value": "$X", "public": True, "masked": False, "raw": True}
    assert by_key["EMPTY"] == {"key": "EMPTY", "value": "", "public": True, "masked": False}
    assert {(step["name"], step["timeout"], step["when"], step["allow_failure"]) for step in job["steps"]} == {
        ("script", 1200, "on_success", False),
        ("after_script", 1200, "always", True),
    }
    for image in (job["image"], *job["services"]):
        assert {"name", "entrypoint", "ports", "executor_opts", "pull_policy"} <= set(image)
    assert set(job["cache"][0]) == {"key", "untracked", "paths", "policy", "when", "fallback_keys"}
    assert [each["artifact_type"] for each in job["artifacts"]] == ["archive", "junit"]
    assert job["artifacts"][1]["when"] == "always" and "exclude" not in job["artifacts"][1]
    agent.update(job, "success")
    assert [set(each) for each in agent.job()["dependencies"]] == [{"id", "name", "token"}]


@pytest.mark.parametrize(
    ("keys", "feature"),
    [
        ("allow_failure: {exit_codes: 3}", "return_exit_code"),
        ("retry: {max: 1, exit_codes: 3}", "return_exit_code"),
        ("cache: {key: k, paths: [x], fallback_keys: [f]}", "fallback_cache_keys"),
        ("artifacts: {paths: [x], exclude: [y]}", "artifacts_exclude"),
        ("artifacts: {reports: {junit: j.xml}}", "upload_multiple_artifacts"),
    ],
    ids=["allowed-codes", "retried-codes", "fallback-keys", "exclude", "reports"],
)
def test_a_runner_that_lacks_what_a_job_needs_fails_it(server, project, agent, repository, keys, feature):
    first = agent.job()
    agent.update(first, "success")
    agent.info["features"][feature] = False
    pushed(repository, f"a: {{tags: [kubernetes], script: [a], {keys}}}\n")
    answer = agent.request()
    assert answer.status_code == 204 and "X-GitLab-Last-Update" in answer.headers
    record = server.api("GET", f"/projects/{project.id}/jobs?scope=failed").json()[0]
    assert record["failure_reason"] == "runner_unsupported"
    agent.info["features"][feature] = True
    pushed(repository, f"b: {{tags: [kubernetes], script: [a], {keys}}}\n")
    assert agent.job()["job_info"]["name"] == "b"


@pytest.mark.parametrize(
    ("kind", "form", "status"),
    [
        ("archive", "zip", 201),
        ("archive", "gzip", 400),
        ("junit", "gzip", 201),
        ("junit", "raw", 400),
        ("dotenv", "raw", 400),
        ("codequality", "raw", 201),
        ("codequality", "gzip", 400),
        ("metrics_referee", "gzip", 201),
        ("metrics_referee", "raw", 400),
        ("network_referee", "gzip", 201),
    ],
)
def test_each_type_of_file_has_one_format(server, project, agent, kind, form, status):
    job = agent.job()
    data = gzip.compress(b"<testsuites/>") if form == "gzip" else b"[]"
    answer = upload(agent, job, data, kind, form)
    assert answer.status_code == status
    if status == 400:
        assert answer.json() == {"message": "Invalid file format with specified file type"}
    there = server.inside(lambda instance: instance.artifacts.one(job["id"], kind))
    assert (there is not None) == (status == 201)


def test_a_file_that_comes_again_is_taken_once_and_another_in_its_place_is_not(agent):
    job = agent.job()
    assert upload(agent, job, b"PK one", "archive", "zip").status_code == 201
    assert upload(agent, job, b"PK one", "archive", "zip").status_code == 201
    assert upload(agent, job, b"PK two", "archive", "zip").status_code == 400
    assert upload(agent, job, gzip.compress(b"no dotenv file"), "dotenv", "gzip").status_code == 400
    empty = agent.server.call("POST", f"/jobs/{job['id']}/artifacts", headers={"JOB-TOKEN": job["token"]})
    assert empty.status_code == 400


def test_a_jobs_token_as_a_parameter_and_in_the_header(server, agent):
    job = agent.job()
    path = f"/jobs/{job['id']}"
    assert server.call("PUT", path, {"state": "running"}, headers={"JOB-TOKEN": job["token"]}).status_code == 400
    data = {"data": b"a", "headers": {"Content-Range": "0-0", "Content-Type": "text/plain"}}
    assert server.call("PATCH", f"{path}/trace?token={job['token']}", **data).status_code == 202
    assert server.call("POST", f"{path}/artifacts/authorize", {"token": job["token"]}).status_code == 200
    refused = server.call("POST", f"{path}/artifacts/authorize", {"token": agent.token})
    assert (refused.status_code, refused.json()) == (403, {"message": "403 Forbidden"})


def test_an_end_with_a_reason_that_nobody_knows_and_fields_that_nobody_knows(server, project, agent):
    job = agent.job()
    answer = agent.update(job, "failed", failure_reason="what_is_this", unknown="something")
    assert (answer.status_code, answer.text) == (200, "200")
    assert "X-GitLab-Trace-Update-Interval" not in answer.headers
    record = server.inside(lambda instance: instance.store.job(job["id"]))
    assert (record.status, record.failure_reason) == ("failed", "unknown_failure")
    late = agent.trace(job, 0, b"x")
    assert (late.status_code, late.headers["Job-Status"]) == (403, "failed")
    assert late.json() == {"message": "403 Forbidden - Job is not processing on runner"}
    assert agent.update({**job, "id": 99_999_999}, "success").status_code == 403


def test_a_part_of_a_log_may_be_empty_and_have_no_place(agent):
    job = agent.job()
    assert agent.trace(job, 0, b"BUILD TRACE").headers["X-GitLab-Trace-Update-Interval"]
    for _ in range(2):
        answer = agent.trace(job, 11, b"")
        assert (answer.status_code, answer.headers["Range"]) == (202, "0-11")
    for start in (15, 8):
        answer = agent.trace(job, start, b"appended")
        assert (answer.status_code, answer.headers["Range"]) == (416, "0-11")


def test_a_log_beyond_the_limit_fails_its_job(server: Running, agent):
    job = agent.job()
    limit = server.settings.trace_limit
    answer = agent.trace(job, limit, b"too much")
    assert (answer.status_code, "Job-Status" in answer.headers) == (403, False)
    record = server.inside(lambda instance: instance.store.job(job["id"]))
    assert (record.status, record.failure_reason) == ("failed", "trace_size_exceeded")
    assert agent.trace(job, 0, b"more").headers["Job-Status"] == "failed"


def test_a_log_that_shows_variables_is_for_developers_only(server, project, agent):
    server.api("PUT", f"/projects/{project.id}", json={"visibility": "public"})
    stranger = server.person(f"reads-{project.id}")
    token = server.inside(lambda instance: instance.accounts.create_token(stranger, "t", ("api",))[1])
    browser = Browser(server)
    browser.open("/users/sign_in")
    browser.send("/users/sign_in", login=f"reads-{project.id}", password="correct horse battery", to="/")

    def wrote(job: dict[str, Any], debug: str, text: str) -> tuple[Any, str]:
        """What the stranger then gets: the answer of the API, and the job's page."""
        key = {"JOB-TOKEN": job["token"], "Content-Range": f"0-{len(text) - 1}"}
        said = {"debug_trace": debug}
        sent = server.call("PATCH", f"/jobs/{job['id']}/trace", data=text, headers=key, params=said)
        assert sent.status_code == 202
        answer = server.api("GET", f"/projects/{project.id}/jobs/{job['id']}/trace", token)
        return answer, browser.open(f"/{project.full_path}/-/jobs/{job['id']}")

    plain = agent.job()
    answer, page = wrote(plain, "false", "hello\n")
    assert answer.text == "hello\n" and "hello" in page
    agent.update(plain, "failed")
    server.api("POST", f"/projects/{project.id}/jobs/{plain['id']}/retry")
    debugged = agent.job()
    answer, page = wrote(debugged, "true", "+ export WHO=me\n")
    assert answer.status_code == 403
    assert "WHO" not in page and "only developers" in page
    browser.open(f"{browser.path}/events")
    assert browser.status == 404
    assert "WHO" in server.api("GET", f"/projects/{project.id}/jobs/{debugged['id']}/trace").text


def test_managers_are_forgotten_one_by_one(server, agent):
    agent.request()
    body = {"token": agent.token, "system_id": "s_0123456789ab"}
    unknown = server.call("DELETE", "/runners/managers", body | {"system_id": "unknown"})
    assert unknown.status_code == 404 and "Runner manager not found" in unknown.text
    assert server.call("DELETE", "/runners/managers", {"token": agent.token}).status_code == 400
    assert server.call("DELETE", "/runners/managers", body | {"token": "invalid"}).status_code == 403
    assert server.call("DELETE", "/runners/managers", body).status_code == 204
    assert agent.request().status_code in (201, 204)


def test_a_runner_is_deleted_only_as_it_was(server, agent):
    agent.request()
    longer_ago = {"If-Unmodified-Since": "Fri, 01 Jan 2016 00:00:00 GMT"}
    later = {"If-Unmodified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}
    manager = {"token": agent.token, "system_id": "s_0123456789ab"}
    for path, body in (("/runners/managers", manager), ("/runners", {"token": agent.token})):
        refused = server.call("DELETE", path, body, headers=longer_ago)
        assert (refused.status_code, refused.json()) == (412, {"message": "412 Precondition Failed"})
        assert server.call("DELETE", path, body, headers=later).status_code == 204
    assert server.call("DELETE", "/runners", {}).status_code == 400


def test_registration_takes_what_gitlab_takes(server):
    token = server.inside(lambda instance: instance.runners.registration_token())
    for settings in (
        {"maximum_timeout": ""},
        {"maximum_timeout": 9000},
        {"tag_list": "tag1, tag2"},
        {"run_untagged": False, "tag_list": ["tag"]},
        {"locked": True, "active": False, "access_level": "ref_protected"},
        {"info": {"name": "n", "version": "v", "platform": "p", "architecture": "a"}},
    ):
        assert server.call("POST", "/runners", {"token": token} | settings).status_code == 201, settings
    assert server.call("POST", "/runners").status_code == 400
    assert server.call("POST", "/runners", {"token": "invalid"}).status_code == 403
    both = {"token": token, "active": True, "paused": False}
    assert server.call("POST", "/runners", both).status_code == 400


def test_no_job_has_gone_to_sleep(server, agent):
    job = agent.job()
    path = f"/jobs/{job['id']}/runtime_environment_key"
    assert server.call("GET", path, headers={"JOB-TOKEN": job["token"]}).status_code == 404
    assert server.call("GET", path).status_code == 403
    assert server.call("GET", f"{path}?token=invalid").status_code == 403
    agent.update(job, "success")
    assert server.call("GET", f"{path}?token={job['token']}").status_code == 403


def test_questions_of_runners_that_tell_strange_things_of_themselves(server, agent):
    for info in ({"config": {"gpus": "all"}, "labels": {"a": "b"}}, {"executor": None}, {}):
        agent.info = info
        assert agent.request().status_code in (201, 204)
    for body in ({}, {"token": None}):
        assert server.call("POST", "/jobs/request", body).status_code == 400
    assert server.call("POST", "/jobs/request", {"token": "invalid"}).status_code == 403


@pytest.mark.parametrize(
    ("keys", "options"),
    [
        ("", {}),
        (", docker: {user: dave}", {"docker": {"user": "dave"}}),
        (", docker: {platform: linux/amd64}", {"docker": {"platform": "linux/amd64"}}),
        (", kubernetes: {user: '1001:2'}", {"kubernetes": {"user": "1001:2"}}),
        (", kubernetes: {user: 1001}", {"kubernetes": {"user": "1001"}}),  # as text, which older runners read too
    ],
    ids=["none", "user", "platform", "uid", "number"],
)
def test_options_of_images_pass_through(project, agent, repository, keys, options):
    agent.update(agent.job(), "success")
    own = f"{{name: alpine{keys}}}"
    pushed(repository, f"a: {{tags: [kubernetes], script: [a], image: {own}, services: [{own}]}}\n")
    job = agent.job()
    for image in (job["image"], *job["services"]):
        wanted = {"name": "alpine", "entrypoint": None, "executor_opts": options, "ports": [], "pull_policy": None}
        assert {key: image[key] for key in wanted} == wanted
