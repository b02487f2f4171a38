"""Files of projects: put there, linked to by releases, fetched, removed; and a project's first commit."""

from __future__ import annotations

import gitlab
import pytest
import requests


@pytest.fixture
def remote(server, project):
    return gitlab.Gitlab(server.url, private_token=server.token).projects.get(project.full_path)


def put(server, remote, name="a tool.bin", content=b"\0\1\2"):
    return server.api("POST", f"/projects/{remote.id}/uploads", files={"file": (name, content)})


def test_a_file_is_fetched_by_an_address_that_nobody_guesses(server, remote):
    made = put(server, remote)
    assert made.status_code == 201
    known = made.json()
    assert known["full_path"] == f"/-/project/{remote.id}{known['url']}" and known["alt"] == "a_tool"
    assert known["markdown"] == f"[a_tool.bin]({known['url']})"
    address = server.url + known["full_path"]
    got = requests.get(address, headers={"PRIVATE-TOKEN": server.token}, timeout=20)
    assert (got.content, got.headers["Content-Type"]) == (b"\0\1\2", "application/octet-stream")
    assert requests.get(address, timeout=20).status_code == 404, "the project is private"
    assert server.api("GET", f"/projects/{remote.id}{known['url']}").content == b"\0\1\2"
    wrong = known["url"].replace("a_tool.bin", "other.bin")
    assert server.api("GET", f"/projects/{remote.id}{wrong}").status_code == 404


def test_maintainers_list_and_remove_them(server, remote):
    first, second = (put(server, remote, name).json() for name in ("one.txt", "../../two.html"))
    listed = server.api("GET", f"/projects/{remote.id}/uploads").json()
    assert [each["filename"] for each in listed] == ["two.html", "one.txt"]
    assert (listed[0]["size"], listed[0]["uploaded_by"]["username"]) == (3, "root")
    got = server.api("GET", f"/projects/{remote.id}/uploads/{second['id']}")
    assert got.headers["Content-Disposition"].startswith("attachment") and "sandbox" in str(got.headers)
    assert server.api("DELETE", f"/projects/{remote.id}/uploads/{second['id']}").status_code == 204
    assert server.api("GET", f"/projects/{remote.id}{second['url']}").status_code == 404
    folder = server.settings.home / "uploads" / str(remote.id)
    assert len(list(folder.iterdir())) == 1
    remote.delete()
    assert not folder.exists() and first


def test_what_is_no_file_is_refused(server, remote):
    assert server.api("POST", f"/projects/{remote.id}/uploads", data={"file": "text"}).status_code == 400
    assert server.api("POST", f"/projects/{remote.id}/uploads", json={"file": "text"}).status_code == 400


def test_a_project_begins_with_a_readme_where_that_is_asked_for(server, name):
    client = gitlab.Gitlab(server.url, private_token=server.token)
    made = client.projects.create(
        {"name": name, "description": "What it is", "initialize_with_readme": True, "tag_list": ["ci"]}
    )
    assert made.files.raw("README.md", ref="main") == f"# {name}\n\nWhat it is\n".encode()
    [commit] = made.commits.list(get_all=True)
    assert (commit.title, commit.author_name) == ("Initial commit", "Administrator")
    assert client.projects.get(made.id).topics == ["ci"]
    [person] = made.repository_contributors(get_all=True)
    assert (person["name"], person["email"], person["commits"]) == ("Administrator", "root@localhost", 1)
    assert [found["name"] for found in client.search("projects", name, get_all=True)] == [name]
