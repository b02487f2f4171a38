"""Calls that nobody meant, made from the API's own document: no answer is a server's error, every answer is as the
document says, and who may not change anything changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.server.conftest import PIPELINE, Repository, Running, free_port

from shipline.server import tables as t
from shipline.server.settings import Settings

EXAMPLES = 6
"""Calls of each operation: enough to meet each parameter in wrong forms, few enough for some seconds in all."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ENDS_THE_TEST = frozenset(
    [
        *("delete_api_v4_projects_id", "delete_projects_id", "delete_users_user", "post_users_user_block"),
        *("put_users_user", "post_users_user_deactivate", "post_projects_id_archive", "delete_groups_group"),
    ]
)
"""Operations that are made on things that are not there only: the others need what they would remove."""
QUIET = frozenset({"audit", "writers", "tokens", "runners", "managers"})
"""Tables that note who has called."""


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of this test's own, with something of each kind, and no limits on how often one may ask."""
    home = tmp_path_factory.mktemp("fuzzed")
    often = Settings(home=home, port=free_port(), long_poll=0.1, requests_a_minute=10**9, pipelines_a_minute=10**9)
    running = Running(often)
    clone = Repository(tmp_path_factory.mktemp("clone") / "app", running.remote("root/app"))
    clone.commit({".gitlab-ci.yml": PIPELINE, "README.md": "hello\n", "folder/a file.txt": "text\n"})
    clone.push()
    agent = running.runner()
    running.inside(lambda instance: instance.runners.registration_token())
    running.api("POST", "/groups", json={"name": "Group", "path": "group"})
    for path, body in (
        ("/projects/1/variables", {"key": "KEY", "value": "value"}),
        ("/projects/1/pipeline_schedules", {"description": "d", "ref": "main", "cron": "0 3 * * *"}),
        ("/projects/1/triggers", {"description": "t"}),
        ("/projects/1/repository/tags", {"tag_name": "v1", "ref": "main"}),
        ("/groups/group/variables", {"key": "KEY", "value": "value"}),
        ("/admin/ci/variables", {"key": "KEY", "value": "value"}),
        ("/projects/1/pipeline_schedules/1/variables", {"key": "KEY", "value": "value"}),
        ("/projects/1/protected_tags", {"name": "main"}),
        ("/users", {"email": "ada@example.com", "name": "Ada", "username": "ada", "password": "long enough"}),
    ):
        assert running.api("POST", path, json=body).status_code == 201, path
    file = {"branch": "next", "start_branch": "main", "content": "text", "commit_message": "A file [skip ci]"}
    request = {"source_branch": "next", "target_branch": "main", "title": "A request"}
    for path, body in (
        ("/projects/1/repository/files/another.md", file),
        ("/projects/1/merge_requests", request),
        ("/projects/1/merge_requests/1/notes", {"body": "A note"}),
    ):
        assert running.api("POST", path, json=body).status_code == 201, path
    for path in ("/projects/1/members", "/groups/group/members"):
        assert running.api("POST", path, json={"user_id": 2, "access_level": 30}).status_code == 201, path
    assert agent.number
    yield running
    running.stop()


@pytest.fixture(scope="module")
def document(fuzzed: Running) -> Any:
    return schemathesis.openapi.from_url(f"{fuzzed.url}/api/v4/openapi.json")


KNOWN = {
    "id": "1",
    "group": "group",
    "pipeline_id": 1,
    "job_id": 1,
    "runner": 1,
    "runner_id": 1,
    "schedule": 1,
    "trigger_id": 1,
    "user": 2,
    "user_id": "2",
    "key": "KEY",
    "sha": "main",
    "branch": "main",
    "tag": "v1",
    "name": "main",
    "file_path": "README.md",
    "ref": "main",
    "ref_name": "main",
    "artifact_path": "a",
    "namespace": "root",
    "merge_request_iid": 1,
    "note_id": 1,
    "version_id": 1,
}
"""What is there, by the names of the paths' parts."""


ABSENT = (
    *("/job", "/job/allowed_agents", "/signature", "/artifacts", "/download", "/{artifact_path}", "/blobs/{sha}"),
    *("/blobs/{sha}/raw", "/permalink/latest", "/artifacts/tree", "/archive{format}", "/resource_groups/{key}"),
    *("/upcoming_jobs", "/current_job", "/mirror/pull"),
)
"""What a person has not, or nothing here is."""
QUERIES = {
    "search": {"scope": "projects", "search": "app"},
    "{file_path}": {"ref": "main"},
    "download": {"job": "build-job"},
    "{artifact_path}": {"job": "build-job"},
    "blame": {"ref": "main"},
    "compare": {"from": "main", "to": "v1"},
    "merge_base": {"refs[]": ["main", "v1"]},
}


def operations(document: Any) -> list[Any]:
    return [result.ok() for result in document.get_all_operations()]


def fuzz(operation: Any, call: Any, examples: int = EXAMPLES) -> None:
    """Makes calls of one operation, some of them about things that are there."""

    @given(case=operation.as_strategy(), real=st.booleans())
    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def run(case: Any, real: bool) -> None:
        if real and operation.definition.raw["operationId"] not in ENDS_THE_TEST:
            for name in case.path_parameters or {}:
                if name in KNOWN:
                    case.path_parameters[name] = KNOWN[name]
        call(case)

    run()


def test_answers_about_what_is_there_are_as_documented(fuzzed, document):
    wrong = []
    for operation in operations(document):
        parts = re.findall(r"\{(\w+)\}", operation.path)
        a_runners = operation.path.startswith(("/api/v4/jobs/", "/api/v4/runners/router"))
        if operation.method.upper() != "GET" or a_runners or not set(parts) <= KNOWN.keys():
            continue
        known = {part: KNOWN[part] for part in parts}
        case = operation.Case(path_parameters=known, query=QUERIES.get(operation.path.rpartition("/")[2], {}))
        response = case.call(headers={"PRIVATE-TOKEN": fuzzed.token}, timeout=20)
        case.validate_response(response, checks=CHECKS)
        if response.status_code != (404 if operation.path.endswith(ABSENT) else 200):
            wrong.append(f"{operation.label}: {response.status_code} {response.text[:200]}")
    assert not wrong, "\n".join(wrong)


def test_no_call_is_a_servers_error_and_every_answer_is_as_documented(fuzzed, document):
    def call(case: Any) -> None:
        response = case.call(headers={"PRIVATE-TOKEN": fuzzed.token}, timeout=20)
        case.validate_response(response, checks=CHECKS)

    wrong = []
    for operation in operations(document):
        try:
            fuzz(operation, call)
        except (Exception, BaseExceptionGroup) as error:  # each operation's findings, at once
            wrong.append(f"{operation.label}: {shown(error)}")
    assert not wrong, "\n\n".join(wrong)


def shown(error: BaseException) -> str:
    """What is wrong, in short."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(shown(inner) for inner in error.exceptions)
    notes = " ".join(getattr(error, "__notes__", []))
    return f"{type(error).__name__}: {error} {notes}"


def contents(server: Running) -> dict[str, list[Any]]:
    """Everything in the database that a call could have changed."""
    tables = [table for table in t.metadata.sorted_tables if table.name not in QUIET]
    read = lambda instance: {table.name: list(instance.database.all(sa.select(table))) for table in tables}  # noqa: E731
    return server.inside(read)


@pytest.mark.parametrize("caller", ["nobody", "a stranger", "a reader's token", "a wrong token"])
def test_who_may_not_change_anything_changes_nothing(fuzzed, document, caller):
    def stranger(instance: Any) -> str:
        known = instance.accounts.by_name("stranger")
        number = known.id if known else instance.accounts.create("stranger", None, admin=False)
        return instance.accounts.create_token(number, "t", ["read_api"])[1]

    tokens = {
        "nobody": {},
        "a stranger": {"PRIVATE-TOKEN": fuzzed.inside(stranger)},
        "a reader's token": {
            "PRIVATE-TOKEN": fuzzed.inside(lambda i: i.accounts.create_token(1, "r", ["read_api"])[1])
        },
        "a wrong token": {"PRIVATE-TOKEN": "glpat-wrong"},
    }
    before = contents(fuzzed)

    def call(case: Any) -> None:
        if case.method not in ("GET", "HEAD"):
            assert case.call(headers=tokens[caller], timeout=20).status_code in (400, 401, 403, 404, 416), case

    for operation in operations(document):
        if operation.method.upper() not in ("GET", "HEAD"):
            fuzz(operation, call, examples=3)
    assert contents(fuzzed) == before


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[1, 2]", "application/json"),
        (b'"text"', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'{"a": "\\ud800"}', "application/json"),
        (b'{"key": "A\\u0000B", "value": "v"}', "application/json"),
        (b"a" * 100, "multipart/form-data"),
        (b"--x\r\nnothing", "multipart/form-data; boundary=x"),
        (b"a[b][c]=1&a=2&a[]=3", "application/x-www-form-urlencoded"),
        (b"[" * 100_000, "application/json"),
        (b"text", "text/plain"),
    ],
)
def test_bodies_that_are_none(fuzzed, body, kind):
    before = contents(fuzzed)
    for path in ("/projects/1/variables", "/projects/1/pipeline", "/user/runners", "/jobs/request"):
        answer = fuzzed.api("POST", path, data=body, headers={"Content-Type": kind})
        assert answer.status_code == 400, (path, answer.text)
    assert contents(fuzzed) == before


def test_what_is_too_large_is_not_read_to_its_end(fuzzed):
    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b'{"key": "' + b"a" * (1 << 20)

    url = f"{fuzzed.url}/api/v4/projects/1/variables"
    headers = {"PRIVATE-TOKEN": fuzzed.token, "Content-Type": "application/json"}
    try:
        assert requests.post(url, data=endless(), headers=headers, timeout=20).status_code == 413
    except requests.ConnectionError:
        pass  # the server has answered and closed while the client still sent


def test_a_runner_with_numbers_that_are_none(fuzzed):
    for number in ("%C2%B2", "9" * 30, "9" * 5000, "x"):
        for method in ("PUT", "PATCH", "POST"):
            path = {"PUT": "", "PATCH": "/trace", "POST": "/artifacts"}[method]
            headers = {"Content-Range": "\xb2-3", "JOB-TOKEN": "glcbt-x"}
            answer = fuzzed.call(method, f"/jobs/{number}{path}", {"token": "glcbt-x"}, headers=headers)
            assert answer.status_code == 403, (method, number, answer.text)


@pytest.mark.parametrize(
    "path",
    [
        "/projects/%00",
        "/projects/a%00b%2Fc",
        "/projects/99999999999999999999",
        "/projects/-1",
        "/projects/1/jobs/99999999999999999999999",
        "/projects/1/jobs/x",
        "/projects/1/jobs/%C2%B2",
        "/namespaces/%C2%B2",
        "/projects/1/pipelines?a[%C2%B2]=1&a[1]=2&page=0",
        "/projects/1/repository/commits/--all",
        "/projects/1/repository/commits/main..v1",
        "/projects/1/repository/commits/%0a",
        "/projects/1/repository/files/..%2F..%2Fetc%2Fpasswd?ref=main",
        "/projects/1/repository/tree?ref=--output%3Dx",
        "/projects/1/repository/tree?path=..",
        "/projects/1/repository/archive?sha=--remote%3Dx",
        "/projects/1/pipelines?page=99999999999999999999",
        "/projects/1/pipelines?per_page=x",
        "/projects/1/jobs?scope[]=nonsense",
        "/projects/1/variables/KEY?filter=x",
        "/nowhere",
    ],
)
def test_addresses_that_are_none(fuzzed, path):
    answer = fuzzed.api("GET", path)
    assert answer.status_code in (400, 404), (answer.status_code, answer.text)
    assert set(answer.json()) <= {"message", "error"}
