"""`shipline run` with jobs that run in pods of an embedded cluster, and what goes wrong around containers."""

import os
import secrets
import signal
import socket
import subprocess
import termios
import time

import pytest
from tests.cli.conftest import SHIPLINE
from tests.cli.terminal import Terminal
from tests.cli.test_later import started, wait_for_line

pytestmark = pytest.mark.engine

HELLO = """
default:
  image: {name: shipline/debian, pull_policy: if-not-present}
hello:
  script: ['echo "hello from $(head -1 /etc/os-release)"', 'echo "$TOKEN"', cat file]
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The state directory of an embedded cluster of this module's own, and the cluster's name."""
    home, name = tmp_path_factory.mktemp("home"), f"cli-{secrets.token_hex(3)}"
    environment = os.environ | {"SHIPLINE_HOME": str(home)}
    yield home, name
    subprocess.run([SHIPLINE, "cluster", "delete", name], env=environment, check=True)


@pytest.fixture
def pods(repository, cluster):
    """A repository whose `shipline run` finds that cluster."""
    home, name = cluster
    repository.environment["SHIPLINE_HOME"] = str(home)
    repository.name = name
    return repository


def run(pods, *arguments: str, code: int = 0) -> str:
    return pods.shipline("run", "--cluster", pods.name, *arguments, code=code)


def kubectl(pods, *arguments: str) -> str:
    kubeconfig = f"{pods.environment['SHIPLINE_HOME']}/clusters/{pods.name}/kubeconfig"
    command = [SHIPLINE.with_name("kubectl"), "--kubeconfig", kubeconfig, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def pods_left(pods) -> str:
    return kubectl(pods, "get", "pods", "-A", "-l", "job.runner.gitlab.com/pod", "-o", "name")


def wait_until_gone(pods) -> None:
    for _ in range(50):
        if not pods_left(pods):
            return
        time.sleep(0.1)
    raise AssertionError(pods_left(pods))


def test_a_job_in_a_pod(pods):
    pods.commit(ci=HELLO, file="from git\n")
    pods.shipline("variable", "set", "TOKEN", "--masked", stdin="s3cret-value")
    text = run(pods)
    assert 'hello | hello from PRETTY_NAME="Debian' in text
    assert "hello | [MASKED]" in text and "s3cret-value" not in text
    assert "hello | from git" in text
    wait_until_gone(pods)


def test_an_image_that_does_not_exist(pods):
    pods.commit(ci="job: {image: no-such-registry.invalid/no/such:image, script: [echo never]}\n")
    text = run(pods, code=1)
    end = text[text.rindex("Pipeline ") - 400 :]
    assert "no-such-registry.invalid/no/such:image" in text and "Remedy:" in text, end
    wait_until_gone(pods)


def test_a_service_that_dies_is_named_with_its_last_words(pods):
    pods.commit(
        ci="""
job:
  image: {name: shipline/debian, pull_policy: if-not-present}
  services:
    - name: shipline/debian
      pull_policy: if-not-present
      alias: docker
      command: [sh, -c, "echo this daemon cannot start; exit 7"]
  variables: {HEALTHCHECK_TCP_PORT: "2375"}
  script:
    - sleep 1
    - 'echo "no daemon"; exit 1'
"""
    )
    text = run(pods, code=1)
    assert "docker" in text and "this daemon cannot start" in text
    wait_until_gone(pods)


def test_a_registry_s_wrong_password(pods):
    registry = f"r{secrets.token_hex(3)}.registry.example.com"
    pods.shipline("cluster", "start", pods.name)
    pods.shipline(
        "registry", "add", registry, "--user", "robot", "--cluster", pods.name, stdin="the-right-password"
    )
    pods.commit(ci=f"job: {{image: '{registry}/app:1', script: [echo never]}}\n")
    login = f'{{"auths": {{"{registry}": {{"username": "robot", "password": "the-wrong-password"}}}}}}'
    pods.shipline("variable", "set", "DOCKER_AUTH_CONFIG", "--type", "file", stdin=login)
    text = run(pods, code=1)
    assert f"{registry}/app:1" in text and "the-wrong-password" not in text
    assert "unauthorized" in text.lower() or "authentication" in text.lower()
    wait_until_gone(pods)


def test_ctrl_c_removes_the_pod(pods):
    pods.commit(
        ci="job: {image: {name: shipline/debian, pull_policy: if-not-present}, script: [echo started, sleep 100]}\n"
    )
    process = started(pods, "run", "--cluster", pods.name)
    wait_for_line(process, "| started")
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 130, text
    assert time.monotonic() - begun < 5
    wait_until_gone(pods)


def test_a_killed_process_s_pod_is_removed_by_the_next(pods):
    pods.commit(
        ci="job: {image: {name: shipline/debian, pull_policy: if-not-present}, script: [echo started, sleep 3]}\n"
    )
    process = started(pods, "run", "--cluster", pods.name)
    wait_for_line(process, "| started")
    process.kill()
    process.communicate()
    left = pods_left(pods)
    assert left
    text = run(pods)
    assert "was interrupted: its process died; job ran and counts as failed" in text
    assert left.split()[0] not in pods_left(pods)
    wait_until_gone(pods)


def test_no_container_engine(repository):
    repository.commit(ci=HELLO, file="")
    text = repository.shipline("run", code=3, DOCKER_HOST="unix:///no/such.sock")
    assert "no container engine answers" in text and "DOCKER_HOST" in text
    assert "has had no pipeline yet" in repository.shipline("pipelines")


def test_a_port_that_is_taken(repository):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        name = f"cli-{secrets.token_hex(3)}"
        text = repository.shipline("cluster", "start", name, "--port", str(port), code=3)
        assert str(port) in text
        repository.shipline("cluster", "delete", name)


def test_no_cluster_where_the_kubeconfig_points(repository):
    repository.commit(ci=HELLO, file="")
    with socket.create_server(("127.0.0.1", 0)) as gone:
        server = f"https://127.0.0.1:{gone.getsockname()[1]}"
    kubeconfig = repository.write(
        "../kubeconfig",
        f"""
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: '{server}'}}}}]
users: [{{name: u, user: {{token: t}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x
""",
    )
    text = repository.shipline("run", "--kubeconfig", str(kubeconfig), code=1)
    assert server.removeprefix("https://") in text


KEPT = """
default:
  image: {name: shipline/debian, pull_policy: if-not-present}
broken:
  script: ['echo left > made', 'echo "LATER=from the script" >> $GITLAB_ENV', 'test "$FIX" = yes']
"""


def test_a_failed_job_s_pod_is_kept_entered_and_removed(pods):
    pods.commit(ci=KEPT)
    pods.shipline("variable", "set", "TOKEN", "--masked", stdin="very-secret")
    text = run(pods, "--keep-failed", code=1)
    assert "It is kept: shipline shell" in text
    assert "pod default/runner-" in pods.shipline("status", code=1)
    command = 'pwd; cat made; echo "$TOKEN|$LATER"; exit 4'
    inside = pods.shipline("shell", "broken", "--", "sh", "-c", command, code=4)
    assert inside == "/builds/local/work\nleft\nvery-secret|from the script\n"
    assert pods.shipline("shell", "broken", stdin="cat made; exit 5\n", code=5) == "left\n"
    view = Terminal([str(SHIPLINE), "shell", "broken"], pods.directory, pods.environment, columns=120)
    try:
        view.line("[broken] /builds/local/work")
        view.type("stty size; sleep 60\n")
        view.line("24 120")
        view.resize(77, 20)
        view.type('\x03until [ "$(stty size)" = "20 77" ]; do sleep 0.1; done; stty size; tty\n')
        view.line("20 77")
        view.line("/dev/pts/")
        view.type("exit 3\n")
        assert view.end() == 3
    finally:
        view.close()
    run(pods, "-v", "FIX=yes")
    wait_until_gone(pods)
    assert "Kept:" not in pods.shipline("status")


def test_a_kept_pod_outlives_other_runs_and_goes_with_cleanup(pods):
    pods.commit(ci=KEPT + "other: {script: [echo x]}\n")
    run(pods, "--keep-failed", "--job", "broken", code=1)
    kept = pods_left(pods)
    run(pods, "--job", "other")
    assert kept.strip() in pods_left(pods).split()
    assert "Removed broken" in pods.shipline("cleanup")
    wait_until_gone(pods)
    assert pods_left(pods) == ""


def test_a_terminal_in_a_pod_is_left_as_it_was(pods):
    """Also where the shell is not left by its own door."""
    pods.commit(ci=KEPT)
    run(pods, "--keep-failed", code=1)
    for number in (signal.SIGTERM, signal.SIGHUP):
        view = Terminal([str(SHIPLINE), "shell", "broken"], pods.directory, pods.environment)
        try:
            view.line("[broken] ")
            assert termios.tcgetattr(view.descriptor) != view.settings
            view.send(number)
            while termios.tcgetattr(view.descriptor) != view.settings:
                time.sleep(0.05)
            assert view.end() == 143
        finally:
            view.close()
    pods.shipline("cleanup")
    wait_until_gone(pods)


def test_ctrl_c_ends_a_pod_that_will_not(pods):
    """Also one whose processes ignore every signal that can be ignored, in its script and after it."""
    pods.commit(
        ci="""
stubborn:
  image: {name: shipline/debian, pull_policy: if-not-present}
  script:
    - trap '' TERM INT HUP
    - (trap '' TERM INT HUP; sleep 90.75) &
    - echo ready
    - while true; do sleep 90.75; done
  after_script: ["trap '' TERM INT; sleep 90.75"]
"""
    )
    process = started(pods, "run", "--cluster", pods.name)
    wait_for_line(process, "| ready")
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    while subprocess.run(["pgrep", "-f", "sleep 90.75"], stdout=subprocess.PIPE, check=False).returncode == 0:
        assert time.monotonic() - begun < 10
        time.sleep(0.1)
    assert time.monotonic() - begun < 5
    assert process.returncode == 130
    wait_until_gone(pods)
    assert pods_left(pods) == ""


def test_a_child_with_images_gets_its_cluster_when_it_comes(pods):
    child = HELLO.replace("script:", "tags: [later]\n  script:")
    ci = "own: {script: [echo in a shell]}\nchild: {trigger: {include: child.yml, strategy: depend}}\n"
    pods.commit(ci=ci, file="of the commit\n", **{"child.yml": child})
    shown = run(pods)
    assert "own   | in a shell" in shown
    assert "child/hello | hello from PRETTY_NAME" in shown and "child/hello | of the commit" in shown
