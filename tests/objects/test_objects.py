"""What a folder and a bucket promise alike, and what each does on its own."""

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import time

import pytest
from tests.objects.s3 import free_ports, store

from shipline.objects.bucket import Bucket, client_options, retries
from shipline.objects.folder import PART, Folder
from shipline.objects.objects import ObjectsError


def bucket_of(server, name, *, secret=None, prefix="", endpoint=None):
    from obstore.store import S3Store

    made = S3Store(
        name,
        endpoint=endpoint or server.endpoint,
        access_key_id=server.access,
        secret_access_key=secret or server.secret,
        region="us-east-1",
        client_options=client_options(plain=True),
        retry_config=retries(),
    )
    return Bucket(made, f"s3://{name}", prefix)


@pytest.fixture(params=["folder", "bucket"])
def objects(request, tmp_path):
    if request.param == "folder":
        return Folder(tmp_path / "objects")
    server, name = request.getfixturevalue("s3"), f"objects-{secrets.token_hex(6)}"
    store(server, name).put("elsewhere", b"")
    return bucket_of(server, name, prefix="some/where")


@pytest.fixture
def file(tmp_path):
    """Makes a file to be kept."""

    def made(content: bytes):
        path = tmp_path / f"file-{secrets.token_hex(4)}"
        path.write_bytes(content)
        return path

    return made


async def content(objects, name):
    fetched = await objects.fetch(name)
    if fetched is None:
        return None
    with fetched.file as opened:
        return opened.read()


async def test_kept_fetched_replaced_and_removed(objects, file):
    assert await objects.fetch("a/b") is None
    assert await objects.look("a/b") is None
    first = await objects.keep("a/b", file(b"one"))
    assert (first.name, first.size) == ("a/b", 3)
    assert (await objects.look("a/b")).version == first.version
    assert await content(objects, "a/b") == b"one"
    second = await objects.keep("a/b", file(b"two"))
    assert second.version != first.version
    assert await content(objects, "a/b") == b"two"
    await objects.remove("a/b")
    await objects.remove("a/b")
    assert await objects.look("a/b") is None


async def test_what_was_fetched_stays_when_the_object_goes(objects, file):
    await objects.keep("x", file(b"one"))
    fetched = await objects.fetch("x")
    await objects.keep("x", file(b"another"))
    await objects.remove("x")
    with fetched.file as opened:
        assert opened.read() == b"one"


async def test_listed_by_their_folder(objects, file):
    for name in ("p/1/a", "p/1/b", "p/10/c", "q"):
        await objects.keep(name, file(name.encode()))
    assert {stored.name async for stored in objects.list("p/1")} == {"p/1/a", "p/1/b"}
    assert {stored.name async for stored in objects.list()} == {"p/1/a", "p/1/b", "p/10/c", "q"}
    assert [stored.size async for stored in objects.list("q")] in ([], [1])


async def test_read_piece_by_piece_from_anywhere(objects, file):
    data = os.urandom(3_000_000)
    await objects.keep("large", file(data))
    assert b"".join([piece async for piece in objects.read("large")]) == data
    assert b"".join([piece async for piece in objects.read("large", 2_999_990)]) == data[-10:]
    with pytest.raises(ObjectsError):
        async for _ in objects.read("none"):
            pass


async def test_names_with_anything_in_them(objects, file):
    name = "project/1/ü %2f $(touch x);'\"#?&=+~*"
    await objects.keep(name, file(b"odd"))
    assert await content(objects, name) == b"odd"
    assert [stored.name async for stored in objects.list("project/1")] == [name]


async def test_a_large_object_in_several_requests(objects, file):
    data = os.urandom(1 << 20) * 20
    await objects.keep("large", file(data))
    assert await content(objects, "large") == data


async def test_many_writers_of_one_name_leave_one_of_their_objects(objects, file):
    written = [bytes([65 + n]) * 200_000 for n in range(8)]
    await asyncio.gather(*(objects.keep("same", file(data)) for data in written))
    assert await content(objects, "same") in written


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "a//b", "", ".", "a/./b", "a\0b"])
async def test_a_folder_takes_no_name_that_leads_out(tmp_path, file, name):
    folder = Folder(tmp_path / "objects")
    for attempt in (folder.look(name), folder.fetch(name), folder.keep(name, file(b"x")), folder.remove(name)):
        with pytest.raises(ObjectsError):
            await attempt


async def test_a_folder_drops_what_was_not_used_for_the_longest_time(tmp_path, file):
    folder = Folder(tmp_path, limit=25_000)
    for age, name in ((300, "oldest"), (200, "used"), (100, "newer")):
        await folder.keep(f"c/{name}", file(bytes(8_000)))
        os.utime(tmp_path / "c" / name, (time.time() - age,) * 2)
    (await folder.fetch("c/used")).file.close()
    await folder.keep("c/new", file(bytes(8_000)))
    assert {stored.name async for stored in folder.list("c")} == {"c/used", "c/newer", "c/new"}
    with pytest.raises(ObjectsError, match="more than"):
        await folder.keep("c/huge", file(bytes(25_001)))


KILLED = """
import os, sys
from pathlib import Path
import shipline.objects.folder as folder
folder._bring = lambda file, part: (part.write_bytes(b"half"), os.kill(os.getpid(), 9))
folder.Folder(Path(sys.argv[1]))._keep("x", Path(sys.argv[2]))
"""


async def test_a_writer_that_is_killed_leaves_the_old_object_and_nothing_for_long(tmp_path, file):
    folder = Folder(tmp_path / "objects")
    await folder.keep("x", file(b"old"))
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", KILLED, folder.root, file(b"new")], timeout=60)
    assert [path.name[: len(PART)] for path in folder.root.iterdir()].count(PART) == 1
    assert await content(folder, "x") == b"old"
    assert [stored.name async for stored in folder.list()] == ["x"]
    await folder.keep("y", file(b"more"))
    assert sorted(path.name for path in folder.root.iterdir()) == ["x", "y"]


async def test_a_folder_that_cannot_be_written_to_says_so(tmp_path, file):
    (tmp_path / "objects").write_text("a file")
    folder = Folder(tmp_path / "objects")
    with pytest.raises(ObjectsError, match=r"objects.*: "):
        await folder.keep("x", file(b"1"))
    assert await folder.look("x") is None


async def test_a_bucket_with_a_wrong_key_says_so(s3, file):
    await bucket_of(s3, "keys").keep("x", file(b"1"))
    wrong = bucket_of(s3, "keys", secret="wrong-secret")
    for attempt in (wrong.fetch("x"), wrong.keep("x", file(b"1")), wrong.look("x")):
        with pytest.raises(ObjectsError, match=r"s3://keys/x: .*(SignatureDoesNotMatch|403 Forbidden)") as told:
            await attempt
        assert "\n" not in str(told.value)
        assert "wrong-secret" not in str(told.value)


async def test_a_bucket_that_is_not_there_is_not_taken_for_an_empty_one(s3):
    with pytest.raises(ObjectsError, match="NoSuchBucket"):
        await bucket_of(s3, "no-such-bucket").fetch("x")


async def test_a_server_that_does_not_answer(s3, file):
    (port,) = free_ports(1)
    nobody = bucket_of(s3, "cache", endpoint=f"http://127.0.0.1:{port}")
    with pytest.raises(ObjectsError, match=f"http://127.0.0.1:{port} cannot be reached"):
        await nobody.fetch("x")


async def test_who_waits_for_a_silent_server_can_stop_waiting(s3, file):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = bucket_of(s3, "cache", endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await slow.keep("x", file(b"1"))
        assert time.monotonic() - began < 5


async def test_what_is_kept_is_there_for_other_clients(s3, file):
    import obstore

    await bucket_of(s3, "shared", prefix="deep").keep("a/b", file(b"1"))
    assert bytes((await obstore.get_async(store(s3, "shared"), "deep/a/b")).bytes()) == b"1"
