"""Artifacts over HTTP: from a job's runner to later jobs, and to people."""

from __future__ import annotations

import gzip
import io
import zipfile

import msgspec
import pytest
from tests.server.conftest import Repository

PIPELINE = """\
stages: [build, test, other]
build:
  stage: build
  tags: [kubernetes]
  script: [make]
  artifacts: {paths: [out], reports: {dotenv: x.env, junit: j.xml}}
test:
  stage: test
  tags: [kubernetes]
  script: [check]
"""
XML = b'<testsuite><testcase name="a" time="1.5"/><testcase name="b"><failure message="no"/></testcase></testsuite>'


def zipped(**files: str) -> bytes:
    """The same bytes for the same files, at whatever time."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name.replace("__", "/")), text)
    return made.getvalue()


class Desk:
    """The project with a pipeline of two jobs, and a runner that has the first."""

    def __init__(self, server, project, agent, repository) -> None:
        self.server, self.project, self.agent, self.repository = server, project, agent, repository
        self.api = f"/projects/{project.id}"

    def start(self) -> dict:
        self.repository.commit({".gitlab-ci.yml": PIPELINE})
        self.repository.push()
        job = self.agent.job()
        while job["job_info"]["name"] != "build" or not job["artifacts"]:
            self.agent.update(job, "success")
            job = self.agent.job()
        return job

    def leave(self, job, content: bytes, kind: str = "archive", form: str = "zip", name: str = "a.zip", **more):
        query = {"artifact_type": kind, "artifact_format": form} | more
        headers = {"JOB-TOKEN": job["token"]}
        files = {"file": (name, content)}
        return self.server.call("POST", f"/jobs/{job['id']}/artifacts", params=query, headers=headers, files=files)

    def get(self, path: str, **options):
        return self.server.api("GET", self.api + path, **options)


@pytest.fixture
def desk(server, project, agent, repository):
    agent.info = {"features": {"cancel_gracefully": True, "upload_multiple_artifacts": True}}
    return Desk(server, project, agent, repository)


def test_the_payload_says_what_to_keep_and_later_what_to_fetch(desk):
    build = desk.start()
    assert [each["artifact_type"] for each in build["artifacts"]] == ["archive", "dotenv", "junit"]
    assert build["dependencies"] == []
    assert desk.leave(build, zipped(out__x="x"), expire_in="1 week").status_code == 201
    assert desk.leave(build, gzip.compress(b"VERSION=1.2\n"), "dotenv", "gzip", ".env.gz").status_code == 201
    assert desk.agent.update(build, "success").status_code == 200
    test = desk.agent.job()
    [dependency] = test["dependencies"]
    assert (dependency["id"], dependency["name"], dependency["token"]) == (build["id"], "build", test["token"])
    assert dependency["artifacts_file"]["filename"] == "a.zip"
    assert {v["key"]: v["value"] for v in test["variables"]}["VERSION"] == "1.2"
    got = desk.server.call("GET", f"/jobs/{build['id']}/artifacts", headers={"JOB-TOKEN": test["token"]})
    assert got.content == zipped(out__x="x")


def test_a_runner_that_cannot_keep_reports_does_not_get_the_job(desk):
    desk.agent.info = {"features": {}}
    desk.repository.commit({".gitlab-ci.yml": PIPELINE})
    desk.repository.push()
    while (answer := desk.agent.request()).status_code == 201:
        assert answer.json()["job_info"]["name"] != "build" or not answer.json()["artifacts"]
        desk.agent.update(answer.json(), "success")
    failed = next(each for each in desk.get("/jobs").json() if each["name"] == "build")
    assert (failed["status"], failed["failure_reason"]) == ("failed", "runner_unsupported")


def test_a_wrong_dotenv_file_is_refused_and_the_same_file_twice_is_not(desk):
    build = desk.start()
    refused = desk.leave(build, gzip.compress(b"no variable\n"), "dotenv", "gzip", ".env.gz")
    assert (refused.status_code, refused.json()["message"]) == (400, "Invalid Format")
    assert desk.leave(build, zipped(a="1")).status_code == 201
    assert desk.leave(build, zipped(a="1")).status_code == 201
    assert desk.leave(build, zipped(a="2")).status_code == 400
    assert desk.leave(build, b"x", kind="nonsense").status_code == 400
    assert desk.leave(build, b"x", form="tar").status_code == 400
    assert desk.leave(build, b"x", kind="lsif", expire_in="soon").status_code == 400


def test_a_project_and_a_type_of_files_have_limits_of_their_own(desk, server):
    build = desk.start()
    pipeline = server.inside(lambda i: i.store.pipeline(i.store.job(build["id"]).pipeline_id))
    project = f"/projects/{pipeline.project_id}"
    assert server.api("PUT", project, json={"max_artifacts_size": 0}).status_code == 400
    assert server.api("PUT", project, json={"max_artifacts_size": 1}).json()["max_artifacts_size"] == 1
    asked = {"artifact_type": "archive", "filesize": 2 << 20}
    authorize = f"/jobs/{build['id']}/artifacts/authorize"
    headers = {"JOB-TOKEN": build["token"]}
    assert server.call("POST", authorize, asked, headers=headers).status_code == 413
    assert desk.leave(build, b"x" * ((1 << 20) + 1)).status_code == 413
    assert desk.leave(build, b"x" * (1 << 20)).status_code == 201
    assert server.api("PUT", project, json={"max_artifacts_size": None}).json()["max_artifacts_size"] is None
    assert server.call("POST", authorize, asked, headers=headers).status_code == 200
    plan = asked | {"artifact_type": "terraform", "filesize": 6 << 20}
    assert server.call("POST", authorize, plan, headers=headers).status_code == 413


def test_a_group_has_a_limit_which_the_closest_group_and_the_project_replace(server, tmp_path):
    outer = server.api("POST", "/groups", json={"name": "Sizes", "path": "sizes"}).json()
    within = {"name": "Inner", "path": "inner", "parent_id": outer["id"]}
    inner = server.api("POST", "/groups", json=within).json()
    clone = Repository(tmp_path / "sized", server.remote("sizes/inner/app"))
    clone.commit({".gitlab-ci.yml": "job:\n  script: [make]\n"})
    clone.push()
    project = server.api("GET", "/projects/sizes%2Finner%2Fapp").json()["id"]
    job = server.runner(kind="project_type", projects=[project], run_untagged=True).job()

    def taken(size):
        asked, headers = {"artifact_type": "archive", "filesize": size << 20}, {"JOB-TOKEN": job["token"]}
        answer = server.call("POST", f"/jobs/{job['id']}/artifacts/authorize", asked, headers=headers)
        return answer.status_code == 200

    assert taken(50)
    group = f"/groups/{outer['id']}"
    assert server.api("PUT", group, json={"max_artifacts_size": 0}).status_code == 400
    assert server.api("PUT", group, json={"max_artifacts_size": 10}).json()["max_artifacts_size"] == 10
    assert (taken(10), taken(11)) == (True, False)
    server.api("PUT", f"/groups/{inner['id']}", json={"max_artifacts_size": 20})
    assert (taken(20), taken(21)) == (True, False)
    server.api("PUT", f"/projects/{project}", json={"max_artifacts_size": 30})
    assert (taken(30), taken(31)) == (True, False)


def test_what_is_too_large_is_refused_also_when_its_length_is_not_told(desk, server):
    build = desk.start()
    usual = server.settings
    small = msgspec.structs.replace(usual, artifact_limit=1000)
    server.inside(lambda i: setattr(i, "settings", small))
    try:
        assert desk.leave(build, b"x" * 1001).status_code == 413
        assert desk.leave(build, b"x" * 200_000).status_code == 413
        parts = [
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n',
            b"x" * 200_000,
            b"\r\n--b--\r\n",
        ]
        headers = {"JOB-TOKEN": build["token"], "Content-Type": "multipart/form-data; boundary=b"}
        chunked = server.call("POST", f"/jobs/{build['id']}/artifacts", data=iter(parts), headers=headers)
        assert chunked.status_code == 413
        assert desk.leave(build, b"x" * 1000).status_code == 201
    finally:
        server.inside(lambda i: setattr(i, "settings", usual))
    headers = {"JOB-TOKEN": build["token"]}
    asked = server.call("POST", f"/jobs/{build['id']}/artifacts/authorize?filesize=1", headers=headers)
    assert asked.status_code == 200
    broken = {**headers, "Content-Type": "multipart/form-data; boundary=b"}
    assert (
        server.call("POST", f"/jobs/{build['id']}/artifacts", data=b"nonsense", headers=broken).status_code == 400
    )


def test_people_get_archives_and_single_files(desk):
    build = desk.start()
    desk.leave(build, zipped(**{"out__a b.txt": "text", "out__page.html": "<script>", "top": "t"}))
    assert desk.get("/jobs/artifacts/main/download?job=build").status_code == 404
    desk.agent.update(build, "success")
    desk.agent.update(desk.agent.job(), "success")
    job = f"/jobs/{build['id']}/artifacts"
    whole = desk.get(job)
    assert whole.headers["Content-Disposition"].startswith("attachment")
    assert zipfile.ZipFile(io.BytesIO(whole.content)).read("top") == b"t"
    assert desk.get(f"{job}/out/a b.txt").text == "text"
    page = desk.get(f"{job}/out/page.html")
    assert (page.text, page.headers["Content-Type"].partition(";")[0]) == ("<script>", "text/plain")
    assert desk.get(f"{job}/out/nothing").status_code == 404
    assert desk.get(f"{job}/out").status_code == 404
    assert [each["path"] for each in desk.get(f"{job}/tree").json()] == ["out", "top"]
    assert [each["name"] for each in desk.get(f"{job}/tree?path=out").json()] == ["a b.txt", "page.html"]
    assert len(desk.get(f"{job}/tree?recursive=true").json()) == 4
    assert desk.get("/jobs/artifacts/main/download?job=build").content == whole.content
    assert desk.get("/jobs/artifacts/main/raw/top?job=build").text == "t"
    assert desk.get("/jobs/artifacts/main/download?job=nobody").status_code == 404
    assert desk.get("/jobs/artifacts/nowhere/download?job=build").status_code == 404
    assert desk.get("/jobs/artifacts/main/download").status_code == 400


def test_files_are_kept_or_deleted_and_what_needs_deleted_ones_fails(desk):
    build = desk.start()
    desk.leave(build, zipped(a="1"), expire_in="1 day")
    desk.agent.update(build, "success")
    path = f"{desk.api}/jobs/{build['id']}"
    assert desk.server.api("GET", path).json()["artifacts_expire_at"] is not None
    kept = desk.server.api("POST", f"{path}/artifacts/keep")
    assert (kept.status_code, kept.json()["artifacts_expire_at"]) == (200, None)
    assert desk.server.api("DELETE", f"{path}/artifacts").status_code == 204
    assert desk.server.api("POST", f"{path}/artifacts/keep").status_code == 404
    assert desk.agent.request().status_code == 204
    failed = next(each for each in desk.get("/jobs").json() if each["name"] == "test")
    assert (failed["status"], failed["failure_reason"]) == ("failed", "missing_dependency_failure")
    log = desk.get(f"/jobs/{failed['id']}/trace").text
    assert "could not retrieve the needed artifacts: build" in log


def test_all_files_of_a_project_that_would_expire(desk):
    build = desk.start()
    desk.leave(build, zipped(a="1"), expire_in="never")
    desk.leave(build, gzip.compress(XML), "junit", "gzip", "junit.xml.gz")
    answer = desk.server.api("DELETE", f"{desk.api}/artifacts")
    assert (answer.status_code, answer.json()) == (202, {"message": "202 Accepted"})
    assert desk.get(f"/jobs/{build['id']}").json()["artifacts"] == []


def test_expired_files_are_kept_of_the_latest_success(desk, server):
    def ended() -> dict:
        build = desk.start()
        assert desk.leave(build, zipped(a="1"), expire_in="1 sec").status_code == 201
        desk.agent.update(build, "success")
        desk.agent.update(desk.agent.job(), "success")
        server.inside(lambda i: i.database.execute(_age(build["id"])))
        server.inside(lambda i: i.artifacts.expire())
        return build

    first = ended()
    assert desk.get(f"/jobs/{first['id']}/artifacts").status_code == 200
    second = ended()
    assert desk.get(f"/jobs/{first['id']}/artifacts").status_code == 404
    assert desk.get(f"/jobs/{second['id']}/artifacts").status_code == 200
    server.api("PUT", desk.api, json={"keep_latest_artifact": False})
    assert desk.get(f"/jobs/{second['id']}/artifacts").status_code == 404


def _age(job_id: int):
    import sqlalchemy as sa

    from shipline.server import tables as t

    return sa.update(t.artifacts).where(t.artifacts.c.job_id == job_id).values(expire_at=1.0)


def test_reports_of_tests(desk):
    build = desk.start()
    desk.leave(build, gzip.compress(XML), "junit", "gzip", "junit.xml.gz")
    pipeline = f"/pipelines/{build['job_info']['pipeline_id']}"
    report = desk.get(f"{pipeline}/test_report").json()
    assert (report["total_count"], report["success_count"], report["failed_count"]) == (2, 1, 1)
    [suite] = report["test_suites"]
    assert (suite["name"], suite["total_time"]) == ("build", 1.5)
    assert suite["test_cases"][1]["status"] == "failed" and suite["test_cases"][1]["system_output"] == "no"
    summary = desk.get(f"{pipeline}/test_report_summary").json()
    assert summary["total"]["failed"] == 1 and summary["total"]["time"] == 1.5
    assert summary["test_suites"][0]["build_ids"] == [build["id"]]


@pytest.mark.parametrize(
    ("access", "reporter", "owner"),
    [("", 200, 200), ("public: false", 403, 200), ("access: none", 403, 403)],
    ids=["all", "developers", "nobody"],
)
def test_artifacts_may_be_for_some_people_only(desk, server, access, reporter, owner):
    from shipline.server import permissions as may

    text = PIPELINE.replace("{paths: [out],", f"{{paths: [out], {access + ', ' if access else ''}")
    desk.repository.commit({".gitlab-ci.yml": text})
    desk.repository.push()
    build = desk.agent.job()
    while build["job_info"]["name"] != "build" or not build["artifacts"]:
        desk.agent.update(build, "success")
        build = desk.agent.job()
    desk.leave(build, zipped(a="1"))
    desk.agent.update(build, "success")
    test = desk.agent.job()
    assert (
        server.call("GET", f"/jobs/{build['id']}/artifacts", headers={"JOB-TOKEN": test["token"]}).status_code
        == 200
    )
    desk.agent.update(test, "success")
    ways = [
        f"/jobs/{build['id']}/artifacts",
        f"/jobs/{build['id']}/artifacts/a",
        "/jobs/artifacts/main/download?job=build",
    ]
    assert [desk.get(way).status_code for way in ways] == [owner] * 3
    member = {"user_id": server.person(f"user{build['id']}"), "access_level": may.REPORTER}
    assert server.api("POST", f"{desk.api}/members", json=member).status_code == 201
    token = server.inside(lambda i: i.accounts.create_token(member["user_id"], "t", ("api",))[1])
    assert [desk.get(way, token=token).status_code for way in ways] == [reporter] * 3
