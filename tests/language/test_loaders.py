"""Loaders for disk and web: what they give, what they keep, what they refuse."""

import json

import pytest

from shipline.language import Context, NotLoaded, Origin, compile
from shipline.language.fetched import Fetched
from shipline.language.loader import NotThere
from shipline.language.loaders import Directory, Sources, integrity

URL = "https://example.com/a.yml"


def test_a_directory_gives_its_files_and_nothing_outside(tmp_path):
    (tmp_path / "secret.yml").write_text("x")
    root = tmp_path / "root"
    (root / "ci").mkdir(parents=True)
    (root / "ci" / "a.yml").write_text("a: 1\n")
    (root / "link.yml").symlink_to(tmp_path / "secret.yml")
    files = Directory(root)
    assert files.read("/ci/a.yml") == "a: 1\n"
    assert files.read("../secret.yml") is None
    assert files.read("link.yml") is None
    assert files.paths() == ["link.yml", "ci/a.yml"]


def test_without_a_way_to_the_network_a_remote_file_is_refused(tmp_path):
    with pytest.raises(NotLoaded, match="could not be fetched"):
        Sources(Directory(tmp_path)).load(Origin("remote", URL))


def test_a_template_that_the_copy_lacks_is_guessed(tmp_path):
    (tmp_path / "Jobs").mkdir()
    (tmp_path / "Jobs" / "SAST.gitlab-ci.yml").write_text("a: {script: x}\n")
    sources = Sources(Directory(tmp_path), templates=Directory(tmp_path))
    with pytest.raises(NotLoaded) as refused:
        sources.load(Origin("template", "Security/SAST.gitlab-ci.yml"))
    assert refused.value.hint == "did you mean `Jobs/SAST.gitlab-ci.yml`?"


def test_integrity_is_checked(tmp_path):
    sources = Sources(Directory(tmp_path), fetch=lambda url: b"a: 1\n")
    assert sources.load(Origin("remote", URL, integrity=integrity(b"a: 1\n"))).text == "a: 1\n"
    with pytest.raises(NotLoaded, match="does not match its integrity"):
        sources.load(Origin("remote", URL, integrity=integrity(b"b")))


def test_a_project_of_the_server_is_read_file_by_file(tmp_path):
    asked = []

    def fetch(url):
        asked.append(url)
        return b"a: 1\n"

    sources = Sources(Directory(tmp_path), fetch=fetch, server="https://gitlab.example.com")
    assert sources.load(Origin("project", "ci/a.yml", "group/lib", "v1")).text == "a: 1\n"
    assert asked == [
        "https://gitlab.example.com/api/v4/projects/group%2Flib/repository/files/ci%2Fa.yml/raw?ref=v1"
    ]


class Web:
    """A web of one file that can change or go away."""

    def __init__(self):
        self.content = b"one"

    def __call__(self, url):
        if self.content is None:
            raise NotLoaded("no answer")
        return self.content


def test_what_was_fetched_serves_when_the_network_does_not(tmp_path):
    web = Web()
    assert Fetched(web, tmp_path)(URL) == b"one"
    web.content = None
    assert Fetched(web, tmp_path)(URL) == b"one"
    assert Fetched(web, tmp_path, offline=True)(URL) == b"one"
    with pytest.raises(NotLoaded, match="never fetched"):
        Fetched(web, tmp_path, offline=True)("https://example.com/other.yml")


def test_a_lock_pins_the_content(tmp_path):
    web, lock = Web(), tmp_path / "lock"
    first = Fetched(web, tmp_path / "cache", lock)
    first(URL)
    first.write_lock()
    assert json.loads(lock.read_text()) == {URL: integrity(b"one")}
    web.content = b"two"
    assert Fetched(web, tmp_path / "cache", lock)(URL) == b"one"
    with pytest.raises(NotLoaded, match="is not what"):
        Fetched(web, tmp_path / "other", lock)(URL)


def test_the_files_of_a_project_of_the_server_are_listed_page_by_page(tmp_path):
    tree = [{"path": "ci", "type": "tree"}, *({"path": f"ci/{n}.yml", "type": "blob"} for n in range(120))]

    def fetch(url):
        if "/repository/tree?" not in url:
            name = url.rpartition("/raw")[0].rpartition("%2F")[2]
            return f"job-{name}: {{script: x}}\n".encode()
        page = int(url.rpartition("page=")[2])
        assert "projects/group%2Flib/" in url and "recursive=true&ref=v1&" in url
        return json.dumps(tree[100 * (page - 1) : 100 * page]).encode()

    sources = Sources(Directory(tmp_path), fetch=fetch, server="https://gitlab.example.com")
    assert len(sources.paths("group/lib", "v1")) == 120
    text = "include: {project: group/lib, ref: v1, file: start.yml}"
    both = Sources(
        Directory(tmp_path), fetch=lambda url: fetch(url) if "start" not in url else START, server="https://x"
    )
    assert {job.name for job in compile(text, Context(), both).jobs} == {"job-0.yml", "has-7", *GLOBBED}


GLOBBED = {f"job-{n}.yml" for n in (11, *range(110, 120))}
START = b"""
include: [{local: ci/11*.yml}, {local: ci/0.yml, rules: [{exists: [ci/119.yml]}]}]
has-7: {script: x, rules: [{exists: {project: group/lib, ref: v1, paths: [ci/7.yml]}}]}
"""


def test_a_project_that_the_server_does_not_list_is_refused_by_name(tmp_path):
    for answer in (b"<html>", b"{}"):
        sources = Sources(Directory(tmp_path), fetch=lambda url, answer=answer: answer, server="https://x")
        with pytest.raises(NotLoaded, match="group/lib"):
            sources.paths("group/lib", None)


def test_what_a_server_does_not_have_and_what_it_does_not_answer_are_two_things(tmp_path):
    def gone(url):
        raise NotThere("404")

    def down(url):
        raise NotLoaded("no answer")

    for origin in (Origin("project", "a.yml", "g/p"), Origin("component", "host/g/p/c", ref="1.0.0")):
        for fetch, told in ((gone, "does not exist|not found"), (down, "could not be fetched.*no answer")):
            with pytest.raises(NotLoaded, match=told):
                Sources(Directory(tmp_path), fetch=fetch, server="https://x").load(origin)


def test_a_file_that_is_gone_is_not_taken_from_the_cache(tmp_path):
    assert Fetched(lambda url: b"one", tmp_path)(URL) == b"one"

    def gone(url):
        raise NotThere("404")

    with pytest.raises(NotThere):
        Fetched(gone, tmp_path)(URL)
