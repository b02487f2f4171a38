"""Which files are meant, packed into archives and back, on this machine."""

# ruff: noqa: ASYNC110, ASYNC221, ASYNC240, PTH115, PTH208

from __future__ import annotations

import asyncio
import gzip
import os
import posixpath
import re
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipline.runner.files.archive import pack
from shipline.runner.files.extraction import unpack
from shipline.runner.files.globs import compiled
from shipline.runner.files.members import FilesError
from shipline.runner.files.selection import select
from shipline.runner.local.files import ShellFiles


def make(folder: Path, *names: str) -> Path:
    """Files with their own name as content; a name with a slash at its end is a folder."""
    for name in names:
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
    folder.mkdir(exist_ok=True)
    return folder


async def chosen(folder: Path, *paths: str, exclude: tuple[str, ...] = (), untracked: bool = False):
    found = await select(ShellFiles(str(folder)), str(folder), paths, exclude, untracked=untracked)
    return [entry.path for entry in found.entries], [note.text.replace(str(folder), "") for note in found.notes]


async def test_a_folder_is_taken_with_what_is_in_it(tmp_path):
    make(tmp_path, "build/a", "build/deep/b", "other")
    paths, notes = await chosen(tmp_path, "build/")
    assert paths == ["build", "build/a", "build/deep", "build/deep/b"]
    assert notes == ["build/: found 4 matching artifact files and directories"]


async def test_globs_stop_at_slashes_and_two_stars_do_not(tmp_path):
    make(tmp_path, "a.txt", "x/b.txt", "x/y/c.txt", "x/y/d.log", ".hidden/e.txt")
    assert (await chosen(tmp_path, "*.txt"))[0] == ["a.txt"]
    assert (await chosen(tmp_path, "**/*.txt"))[0] == [".hidden/e.txt", "a.txt", "x/b.txt", "x/y/c.txt"]
    assert (await chosen(tmp_path, "x/**/*.{txt,log}"))[0] == ["x/b.txt", "x/y/c.txt", "x/y/d.log"]
    assert (await chosen(tmp_path, "[ax]*"))[0] == ["a.txt", "x", "x/b.txt", "x/y", "x/y/c.txt", "x/y/d.log"]


async def test_what_is_excluded_is_taken_out_and_counted(tmp_path):
    make(tmp_path, "out/a.o", "out/b.o", "out/prog", "out/sub/c.o")
    paths, notes = await chosen(tmp_path, "out/", exclude=("out/**/*.o",))
    assert paths == ["out", "out/prog", "out/sub"]
    assert notes == [
        "out/: found 3 matching artifact files and directories",
        "out/**/*.o: excluded 3 files",
    ]


async def test_paths_outside_of_the_project_are_refused_and_the_rest_goes_on(tmp_path):
    project = make(tmp_path / "project", "in")
    make(tmp_path, "secret")
    for outside in ("../secret", "/etc/passwd", "in/../../secret", "../*"):
        paths, notes = await chosen(project, outside, "in")
        assert paths == ["in"]
        assert notes[0] == f"processPath: artifact path is not a subpath of project directory: {outside}"


async def test_an_absolute_path_into_the_project_and_one_that_leaves_and_comes_back(tmp_path):
    project = make(tmp_path / "project", "foo/a", "foo/b")
    assert (await chosen(project, f"{project}/foo/a"))[0] == ["foo/a"]
    assert (await chosen(project, f"{project}/foo/*"))[0] == ["foo/a", "foo/b"]
    assert (await chosen(project, "../project/foo/*"))[0] == ["foo/a", "foo/b"]


async def test_what_is_not_there_is_warned_about(tmp_path):
    _, notes = await chosen(tmp_path, "[", "", "nothing/")
    assert notes == [
        "[: syntax error in pattern",
        "No matching files. Path is empty.",
        "nothing/: no matching files. Ensure that the artifact path is relative to the working directory ()",
    ]


async def test_untracked_files_also_ignored_ones(tmp_path):
    project = make(tmp_path / "p", "tracked", ".gitignore")
    (project / ".gitignore").write_text("ignored\n")
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", "-C", str(project)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    make(project, "new/a b\n", "ignored", "new/log.txt")
    paths, notes = await chosen(project, untracked=True, exclude=("**/log.txt",))
    assert paths == ["ignored", "new/a b\n"]
    assert notes == ["untracked: found 2 files", "**/log.txt: excluded 1 files"]


async def test_modes_links_times_and_odd_names_survive(tmp_path):
    project = make(tmp_path / "one", "out/tool", "out/sub/", "out/-x", "out/ä\n'\"")
    (project / "out/tool").chmod(0o751)
    (project / "out/link").symlink_to("tool")
    (project / "out/broken").symlink_to("/nowhere")
    odd = os.fsencode(project) + b"/out/\xff\xfe"
    Path(os.fsdecode(odd)).write_bytes(b"odd")
    os.utime(project / "out/tool", (1_600_000_001, 1_600_000_001))
    (project / "out/sub").chmod(0o500)
    files = ShellFiles(str(project))
    selection = await select(files, str(project), ["out"])
    await pack(files, selection.entries, tmp_path / "a.zip")
    other = make(tmp_path / "two")
    await unpack(ShellFiles(str(other)), tmp_path / "a.zip")
    status = (other / "out/tool").stat()
    assert (status.st_mode & 0o7777, status.st_mtime) == (0o751, 1_600_000_001)
    assert (other / "out/sub").stat().st_mode & 0o7777 == 0o500
    assert os.readlink(other / "out/link") == "tool"
    assert os.readlink(other / "out/broken") == "/nowhere"
    assert sorted(os.listdir(os.fsencode(other / "out"))) == sorted(os.listdir(os.fsencode(project / "out")))
    assert subprocess.run(["unzip", "-tq", tmp_path / "a.zip"], check=False, capture_output=True).returncode == 0


async def test_what_is_there_is_replaced(tmp_path):
    one, two = make(tmp_path / "one", "f", "d/x"), make(tmp_path / "two", "d/y")
    (two / "f").symlink_to(tmp_path / "victim")
    (tmp_path / "victim").write_text("mine")
    files = ShellFiles(str(one))
    await pack(files, (await select(files, str(one), ["f", "d"])).entries, tmp_path / "a.zip")
    await unpack(ShellFiles(str(two)), tmp_path / "a.zip")
    assert (two / "f").read_text() == "f" and not (two / "f").is_symlink()
    assert (tmp_path / "victim").read_text() == "mine"
    assert sorted(os.listdir(two / "d")) == ["x", "y"]


async def test_gzip_and_raw(tmp_path):
    project = make(tmp_path / "p", "a.xml", "b.xml")
    files = ShellFiles(str(project))
    both = (await select(files, str(project), ["*.xml"])).entries
    await pack(files, both, tmp_path / "x.gz", "gzip")
    assert gzip.decompress((tmp_path / "x.gz").read_bytes()) == b"a.xmlb.xml"
    await pack(files, both[:1], tmp_path / "raw", "raw")
    assert (tmp_path / "raw").read_bytes() == b"a.xml"
    with pytest.raises(FilesError, match="only one file can be sent as raw"):
        await pack(files, both, tmp_path / "raw", "raw")


def link(archive: zipfile.ZipFile, name: str, target: str) -> None:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    archive.writestr(info, target)


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil", "a/b/../../../evil"])
async def test_names_that_lead_out_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, "evil")
    project = make(tmp_path / "project")
    with pytest.raises(FilesError, match="leads out of the project folder"):
        await unpack(ShellFiles(str(project)), tmp_path / "a.zip")
    assert not (tmp_path / "evil").exists()


async def test_nothing_is_written_through_links_that_lead_out(tmp_path):
    outside, project = make(tmp_path / "outside"), make(tmp_path / "project")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link(archive, "door", str(outside))
        archive.writestr("door/evil", "evil")
    with pytest.raises(FilesError, match="behind the link"):
        await unpack(ShellFiles(str(project)), tmp_path / "a.zip")
    (project / "old").symlink_to("../outside")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("old/deep/evil", "evil")
    with pytest.raises(FilesError, match="outside of the project folder"):
        await unpack(ShellFiles(str(project)), tmp_path / "b.zip")
    assert os.listdir(outside) == []


async def test_a_link_within_the_project_may_be_followed(tmp_path):
    project = make(tmp_path / "project", "real/x")
    (project / "short").symlink_to("real")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("short/y", "y")
    await unpack(ShellFiles(str(project)), tmp_path / "a.zip")
    assert (project / "real/y").read_text() == "y"
    assert (await chosen(project, "short/*"))[0] == ["short/x", "short/y"]
    assert (await chosen(project, "short"))[0] == ["short"]


async def test_a_broken_archive_says_so(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(FilesError, match="archive cannot be read"):
        await unpack(ShellFiles(str(make(tmp_path / "p"))), tmp_path / "a.zip")


NAMES = st.lists(st.sampled_from(["a", "b", "ab", ".c"]), min_size=1, max_size=4)
PIECES = st.lists(
    st.sampled_from(["a", "b", "*", "?", "**", "a*", "[ab]", "[^a]", "{a,ab}"]), min_size=1, max_size=4
)


def meant(pattern: list[str], path: list[str]) -> bool:
    """The model: `**` is any number of segments, and every other piece is one."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(meant(pattern[1:], path[at:]) for at in range(len(path) + 1))
    one = {"*": ".*", "?": ".", "a*": "a.*", "[ab]": "[ab]", "[^a]": "[^a]", "{a,ab}": "(a|ab)"}
    if not path:
        return False
    expression = one.get(pattern[0], re.escape(pattern[0]))
    return re.fullmatch(expression, path[0]) is not None and meant(pattern[1:], path[1:])


@settings(max_examples=300, deadline=None)
@given(PIECES, NAMES)
def test_globs_match_what_the_model_says(pattern, path):
    found = compiled("/".join(pattern)).fullmatch(posixpath.join(*path)) is not None
    assert found == meant(pattern, path)


async def test_what_is_given_up_ends_at_once(tmp_path):
    project = make(tmp_path / "p")
    with (project / "large").open("wb") as file:
        file.truncate(3 << 30)
    files = ShellFiles(str(project))
    entries = (await select(files, str(project), ["large"])).entries
    packing = asyncio.create_task(pack(files, entries, tmp_path / "a.zip"))
    while not (tmp_path / "a.zip").exists():
        await asyncio.sleep(0.01)
    packing.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await packing
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("command", ["zip -qry - out > a.zip", "zip -qry0 a.zip out", "zip -qry -fz a.zip out"])
async def test_archives_of_other_programs(tmp_path, command):
    make(tmp_path, "out/tool", "out/ä b")
    (tmp_path / "out/tool").chmod(0o750)
    (tmp_path / "out/link").symlink_to("tool")
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    there = make(tmp_path / "there")
    await unpack(ShellFiles(str(there)), tmp_path / "a.zip")
    assert sorted(os.listdir(there / "out")) == ["link", "tool", "ä b"]
    assert (there / "out/tool").stat().st_mode & 0o777 == 0o750
    assert (there / "out/tool").stat().st_mtime == int((tmp_path / "out/tool").stat().st_mtime)
    assert os.readlink(there / "out/link") == "tool"


PARTS = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(PARTS.filter(lambda name: name not in (".", "..")), st.binary(max_size=200), max_size=6))
def test_any_files_come_out_as_they_went_in(tmp_path_factory, contents):
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    (here / "out").mkdir()
    for name, content in contents.items():
        (here / "out" / name).write_bytes(content)

    async def round_trip() -> None:
        files = ShellFiles(str(here))
        await pack(files, (await select(files, str(here), ["out"])).entries, there / "a.zip")
        await unpack(ShellFiles(str(there)), there / "a.zip")

    asyncio.run(round_trip())
    assert {path.name: path.read_bytes() for path in (there / "out").iterdir()} == contents
