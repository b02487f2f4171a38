"""exec, attach, logs and port-forward, as kubectl uses them."""

import socket
import time
import urllib.request

import pytest
from tests.cluster.live import Live, pod

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def talker(live: Live) -> str:
    return live.run(pod("i=0; while true; do echo line $i; i=$((i+1)); sleep 0.2; done"), "talker")


def test_exec_keeps_streams_apart_and_gives_the_exit_status(live: Live, talker: str) -> None:
    done = live.attempt("exec", talker, "--", "sh", "-c", "echo out; echo err >&2; exit 5")
    assert (done.returncode, done.stdout) == (5, "out\n")
    assert done.stderr == "err\ncommand terminated with exit code 5\n"


def test_exec_passes_input_to_its_end(live: Live, talker: str) -> None:
    assert live.kubectl("exec", "-i", talker, "--", "wc", "-c", given="x" * 300_000).strip() == "300000"


def test_a_command_that_is_not_there_is_said_in_the_runtime_s_words(live: Live, talker: str) -> None:
    done = live.attempt("exec", talker, "--", "nothing-here")
    assert done.returncode == 1
    assert "error executing command in container: failed to exec in container: failed to start exec" in done.stderr
    assert 'exec: "nothing-here": executable file not found in $PATH' in done.stderr


def test_logs_are_cut_as_asked(live: Live, talker: str) -> None:
    live.until(lambda: "line 3" in live.kubectl("logs", talker))
    assert live.kubectl("logs", talker, "--limit-bytes=10") == "line 0\nlin"
    assert len(live.kubectl("logs", talker, "--tail=2").splitlines()) == 2
    assert len(live.kubectl("logs", talker, "--since=1s").splitlines()) < 8
    stamped = live.kubectl("logs", talker, "--timestamps", "--tail=1")
    assert stamped.startswith(time.strftime("%Y-%m-%dT", time.gmtime()))
    assert "Z line " in stamped


def test_a_followed_log_ends_with_the_container(live: Live) -> None:
    name = live.start(pod("for i in 1 2 3; do echo $i; sleep 0.1; done") | {"restartPolicy": "Never"})
    live.until(lambda: live.attempt("logs", name).returncode == 0)
    assert live.kubectl("logs", "-f", name) == "1\n2\n3\n"


def test_there_are_no_logs_before_a_container_runs(live: Live, talker: str) -> None:
    name = live.start(pod(image="absent:1", imagePullPolicy="Never"))
    live.until(lambda: live.state(name)["state"].get("waiting", {}).get("reason") == "ErrImageNeverPull")
    assert "is waiting to start: ErrImageNeverPull" in live.attempt("logs", name).stderr
    expected = f'previous terminated container "c" in pod "{talker}" not found'
    assert expected in live.attempt("logs", talker, "--previous").stderr


def test_attach_joins_the_main_process(live: Live) -> None:
    spec = pod("read x; echo got $x", stdin=True, stdinOnce=True) | {"restartPolicy": "Never"}
    name = live.run(spec)
    assert live.kubectl("attach", "-i", name, given="typed\n") == "got typed\n"


def test_a_port_of_the_pod_s_loopback_is_forwarded(live: Live) -> None:
    name = live.run(pod("mkdir /w; echo page >/w/index.html; httpd -f -p 127.0.0.1:8080 -h /w"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    forward = live.begin("port-forward", f"pod/{name}", f"{port}:8080", "--address=127.0.0.1")
    try:
        assert forward.stdout is not None
        assert forward.stdout.readline().startswith("Forwarding from 127.0.0.1")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            assert answer.read() == b"page\n"
    finally:
        forward.terminate()
        forward.wait()


def test_files_are_copied_both_ways(live: Live, talker: str, tmp_path) -> None:
    (tmp_path / "f").write_text("data")
    live.kubectl("cp", str(tmp_path / "f"), f"{talker}:/tmp/f")
    live.kubectl("cp", f"{talker}:/tmp/f", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "data"
