"""The project folder's files of a pod, through the helper: one of ours, and one with nothing but busybox."""

# ruff: noqa: PTH115

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import zipfile
from pathlib import Path

import pytest
from tests.runner.test_files import link, make

from shipline.runner.files.archive import pack
from shipline.runner.files.extraction import unpack
from shipline.runner.files.members import FilesError
from shipline.runner.files.selection import select
from shipline.runner.kubernetes.errors import Unreachable
from shipline.runner.kubernetes.streams import Exec
from shipline.runner.local.files import ShellFiles
from shipline.runner.pod.cluster import connect
from shipline.runner.pod.files import PodFiles

pytestmark = pytest.mark.engine
PROJECT = "/builds/group/app"


@pytest.fixture(scope="module", params=["shipline/helper", "shipline/pause"])
def helper(request, kubeconfig):
    """The name of a pod whose container `helper` has that image; `sh` runs a command in it."""
    name = f"files-{request.param.rpartition('/')[2]}"
    container = {"name": "helper", "image": request.param, "command": ["sleep", "600"], "imagePullPolicy": "Never"}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    kubectl = ["kubectl", "--kubeconfig", kubeconfig]
    subprocess.run([*kubectl, "apply", "-f", "-"], input=json.dumps(pod).encode(), check=True)
    subprocess.run([*kubectl, "wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s"], check=True)
    yield name
    subprocess.run([*kubectl, "delete", "pod", name, "--wait=false"], check=True)


class Place:
    """A fresh project folder in the pod."""

    def __init__(self, client, namespace, pod, kubeconfig) -> None:
        self.files = PodFiles(client, namespace, pod, project=PROJECT, scratch="/tmp")
        self._exec = ["kubectl", "--kubeconfig", kubeconfig, "exec", pod, "--", "sh", "-c"]

    def sh(self, script: str) -> str:
        done = subprocess.run([*self._exec, f"cd {PROJECT}; {script}"], check=True, capture_output=True)
        return os.fsdecode(done.stdout)


@pytest.fixture
async def place(helper, pods):
    cluster = await connect(pods, lambda text: None)
    found = Place(cluster.client, cluster.namespace, helper, pods.kubeconfig)
    found.sh(f"rm -rf {PROJECT} /outside; mkdir -p {PROJECT} /outside")
    yield found
    await cluster.close()


async def fetch(place: Place, tmp_path: Path, *paths: str, exclude: tuple[str, ...] = ()) -> Path:
    """What `paths` mean, packed there and unpacked here."""
    selection = await select(place.files, PROJECT, paths, exclude)
    await pack(place.files, selection.entries, tmp_path / "fetched.zip")
    target = make(tmp_path / "fetched")
    await unpack(ShellFiles(str(target)), tmp_path / "fetched.zip")
    return target


async def test_files_of_every_kind_come_out_as_they_are(place, tmp_path):
    place.sh(
        "mkdir -p out/deep out/empty; echo one > out/one; chmod 751 out/one; ln out/one out/again;"
        "ln -s one out/link; ln -s /nowhere out/broken; echo two > out/deep/-two; mkfifo out/pipe;"
        "printf x > 'out/a b\n'; printf '\\000\\377\\n' > out/binary; printf x > \"$(printf 'out/\\377')\";"
        "chown 1234:1234 out/deep/-two; chmod 600 out/deep/-two; touch -d '2020-01-02 03:04:05' out/one"
    )
    got = await fetch(place, tmp_path, "out/**")
    assert sorted(os.fsencode(str(p.relative_to(got))) for p in got.rglob("*")) == sorted(
        b"out/" + name if name else b"out"
        for name in (
            [
                b"",
                b"deep",
                b"empty",
                b"one",
                b"again",
                b"link",
                b"broken",
                b"deep/-two",
                b"a b\n",
                b"binary",
                b"\xff",
            ]
        )
    )
    assert (got / "out/one").stat().st_mode & 0o777 == 0o751
    assert (got / "out/one").stat().st_mtime == 1577934245
    assert (got / "out/again").read_text() == "one\n"
    assert os.readlink(got / "out/link") == "one" and os.readlink(got / "out/broken") == "/nowhere"
    assert (got / "out/binary").read_bytes() == b"\x00\xff\n"
    assert (got / "out/deep/-two").read_text() == "two\n"


async def test_files_of_every_kind_go_in(place, tmp_path):
    local = make(tmp_path / "local", "out/tool", "out/empty/", "out/ä b\n")
    (local / "out/tool").chmod(0o751)
    (local / "out/link").symlink_to("tool")
    os.utime(local / "out/tool", (1_577_934_245, 1_577_934_245))
    files = ShellFiles(str(local))
    await pack(files, (await select(files, str(local), ["out"])).entries, tmp_path / "a.zip")
    place.sh("mkdir out; ln -s /outside/victim out/tool")
    await unpack(place.files, tmp_path / "a.zip")
    assert place.sh("cat out/tool; stat -c ' %a %Y' out/tool; readlink out/link; cat out/*b*").split() == [
        "out/tool",
        "751",
        "1577934245",
        "tool",
        "out/ä",
        "b",
    ]
    assert place.sh("ls /outside") == ""


async def test_many_files_and_what_is_not_there(place, tmp_path):
    place.sh("mkdir many; seq 1 3000 | while read n; do echo $n > many/file-with-a-rather-long-name-$n.txt; done")
    got = await fetch(place, tmp_path, "many/*", "nothing", exclude=("many/*-7.txt",))
    assert len(list((got / "many").iterdir())) == 2999
    assert (got / "many/file-with-a-rather-long-name-2999.txt").read_text() == "2999\n"


async def test_nothing_is_written_outside(place, tmp_path):
    place.sh("ln -s /outside old; ln -s . here")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("old/evil", "evil")
    with pytest.raises(FilesError, match=r"'old' leads to /outside, outside of the project folder"):
        await unpack(place.files, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        link(archive, "new", "/outside")
        archive.writestr("here/", "")
        archive.writestr("here/fine", "fine")
    await unpack(place.files, tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("new/evil", "evil")
    with pytest.raises(FilesError, match="outside of the project folder"):
        await unpack(place.files, tmp_path / "c.zip")
    assert place.sh("ls /outside; cat fine; readlink here") == "fine.\n"


async def test_a_connection_that_breaks_is_made_again(place, tmp_path, monkeypatch):
    place.sh("head -c 20000000 /dev/urandom > big; mkdir in")
    broken = []
    output, write = Exec.output, Exec.write

    async def breaking_output(self):
        seen = 0
        async for part in output(self):
            seen += len(part[1])
            if seen > 5_000_000 and len(broken) < 2:
                broken.append("out")
                raise Unreachable("cut")
            yield part

    async def breaking_write(self, data):
        if len(data) > 1_000_000 and len(broken) < 4:
            broken.append("in")
            await self.close()
            raise Unreachable("cut")
        await write(self, data)

    monkeypatch.setattr(Exec, "output", breaking_output)
    monkeypatch.setattr(Exec, "write", breaking_write)
    got = await fetch(place, tmp_path, "big")
    assert (got / "big").stat().st_size == 20_000_000
    await unpack(place.files, tmp_path / "fetched.zip")
    assert broken == ["out", "out", "in", "in"]
    monkeypatch.undo()
    before = (got / "big").read_bytes()
    assert (await fetch(place, tmp_path, "big") / "big").read_bytes() == before


async def test_what_a_node_lost_of_an_output_is_asked_for_again(place, tmp_path, monkeypatch):
    place.sh("head -c 3000000 /dev/urandom > big")
    output, lost = Exec.output, []

    async def cut(self):
        seen = 0
        async for part in output(self):
            seen += len(part[1])
            if len(lost) < 3 and seen > (1_000_000 if len(lost) > 1 else 0):
                lost.append(seen)
                self.status = 0
                return
            yield part

    monkeypatch.setattr(Exec, "output", cut)
    got = await fetch(place, tmp_path, "big")
    assert len(lost) == 3
    monkeypatch.undo()
    before = (got / "big").read_bytes()
    assert (await fetch(place, tmp_path, "big") / "big").read_bytes() == before


async def test_a_large_file_takes_no_memory(place, tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    place.sh("dd if=/dev/zero of=sparse bs=1 count=0 seek=300000000 2>/dev/null")
    selection = await select(place.files, PROJECT, ["sparse"])
    await asyncio.wait_for(pack(place.files, selection.entries, tmp_path / "a.zip", level="fast"), 120)
    place.sh("rm sparse")
    await asyncio.wait_for(unpack(place.files, tmp_path / "a.zip"), 120)
    assert place.sh("stat -c %s sparse") == "300000000\n"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000


async def test_a_pod_that_is_gone_is_said_to_be(place, tmp_path):
    gone = PodFiles(place.files._client, place.files._namespace, "no-such-pod", project=PROJECT, scratch="/tmp")
    with pytest.raises(FilesError, match="the stream to pod default/no-such-pod is lost"):
        await gone.find(["."])
