"""The life of pods: starting, probing, restarting, ending, and being told to go."""

import time

import pytest
from tests.cluster.live import Live, container, pod

pytestmark = pytest.mark.engine


def phase(live: Live, name: str, wanted: str) -> None:
    live.kubectl("wait", f"--for=jsonpath={{.status.phase}}={wanted}", f"pod/{name}", "--timeout=30s")


def test_containers_start_once_the_init_containers_are_through(live: Live) -> None:
    init = [container("echo one; sleep 0.3") | {"name": "first"}, container("echo two") | {"name": "second"}]
    name = live.start(pod("echo three") | {"initContainers": init, "restartPolicy": "Never"})
    phase(live, name, "Succeeded")
    # kubectl asks for the containers in any order: the time of each line tells which came first
    logs = live.kubectl("logs", name, "--all-containers", "--timestamps")
    assert [line.split()[1] for line in sorted(logs.splitlines())] == ["one", "two", "three"]
    conditions = {c["type"]: c for c in live.get("pod", name)["status"]["conditions"]}
    assert [conditions[kind]["status"] for kind in ("Initialized", "Ready", "PodReadyToStartContainers")] == [
        "True",
        "False",
        "False",
    ]
    assert conditions["Ready"]["reason"] == "PodCompleted"


def test_a_failing_init_container_fails_the_pod(live: Live) -> None:
    name = live.start(pod() | {"initContainers": [container("exit 4") | {"name": "i"}], "restartPolicy": "Never"})
    phase(live, name, "Failed")
    status = live.get("pod", name)["status"]
    assert status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 4
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}


def test_a_sidecar_begins_first_and_ends_last(live: Live) -> None:
    side = container("trap 'echo bye; exit' TERM; echo up; while :; do sleep 0.1; done", restartPolicy="Always")
    name = live.start(
        pod("sleep 0.5")
        | {
            "initContainers": [side | {"name": "side"}],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 5,
        }
    )
    phase(live, name, "Succeeded")
    assert live.kubectl("logs", name, "-c", "side") == "up\nbye\n"


def test_a_crashing_container_is_restarted_and_tells_of_its_past(live: Live) -> None:
    name = live.start(pod("echo run $(cat /dev/termination-log); echo why >/dev/termination-log; exit 3"))
    live.until(lambda: live.state(name)["restartCount"] >= 1 and live.state(name)["lastState"])
    last = live.state(name)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"], last["message"]) == (3, "Error", "why\n")
    assert live.kubectl("logs", name, "--previous") == "run\n"
    metadata = live.get("pod", name)["metadata"]
    text = f"BackOff: Back-off restarting failed container c in pod {name}_default({metadata['uid']})"
    live.until(lambda: text in live.events(name))


def test_the_end_of_the_log_stands_for_a_message(live: Live) -> None:
    spec = pod("echo details; exit 1", terminationMessagePolicy="FallbackToLogsOnError") | {
        "restartPolicy": "Never"
    }
    name = live.start(spec)
    phase(live, name, "Failed")
    assert live.state(name)["state"]["terminated"]["message"] == "details\n"


def test_a_command_that_is_not_there(live: Live) -> None:
    spec = pod() | {"restartPolicy": "Never"}
    spec["containers"][0]["command"] = ["/no/such/program"]
    name = live.start(spec)
    phase(live, name, "Failed")
    ended = live.state(name)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert 'exec: "/no/such/program": stat /no/such/program: no such file or directory' in ended["message"]


def test_probes_decide_on_readiness_and_on_life(live: Live) -> None:
    serve = "mkdir /w; echo ok >/w/index.html; httpd -p 8080 -h /w; sleep 1000"
    probe = {"httpGet": {"path": "/index.html", "port": "web"}, "periodSeconds": 1, "failureThreshold": 1}
    spec = pod(
        f"sleep 1; {serve}",
        ports=[{"containerPort": 8080, "name": "web"}],
        startupProbe={"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 30},
        readinessProbe=probe,
        livenessProbe={
            "exec": {"command": ["test", "!", "-e", "/tmp/dead"]},
            "periodSeconds": 1,
            "failureThreshold": 1,
        },
    )
    name = live.run(spec)
    address = live.get("pod", name)["status"]["podIP"]
    assert f"Unhealthy: Startup probe failed: dial tcp {address}:8080: connect: connection refused" in live.events(
        name
    )
    live.sh(name, "rm /w/index.html")
    live.until(lambda: not live.state(name)["ready"])
    assert "Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 404" in live.events(name)
    live.sh(name, "touch /tmp/dead")
    live.until(lambda: live.state(name)["restartCount"] >= 1)
    assert "Killing: Container c failed liveness probe, will be restarted" in live.events(name)


def test_a_pod_is_asked_to_end_and_given_its_time(live: Live) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo stopping >/proc/1/fd/1; sleep 0.5"]}}}
    script = "trap 'echo got TERM; sleep 0.5; echo done; exit 0' TERM; while :; do sleep 0.1; done"
    name = live.run(pod(script, lifecycle=hook) | {"terminationGracePeriodSeconds": 20, "restartPolicy": "Never"})
    live.kubectl("patch", "pod", name, "-p", '{"metadata":{"finalizers":["example.com/look"]}}')
    log = live.begin("logs", "-f", name)
    live.kubectl("delete", "pod", name, "--wait=false")
    ended = live.until(lambda: live.state(name)["state"].get("terminated"))
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
    assert log.communicate(timeout=10)[0] == "stopping\ngot TERM\ndone\n"
    assert "Killing: Stopping container c" in live.events(name)
    live.kubectl("patch", "pod", name, "--type=json", "-p", '[{"op":"remove","path":"/metadata/finalizers"}]')
    live.kubectl("wait", "--for=delete", f"pod/{name}", "--timeout=20s")


def test_a_pod_that_does_not_listen_is_killed_when_its_time_is_over(live: Live) -> None:
    name = live.run(pod("trap '' TERM; while :; do sleep 1; done") | {"terminationGracePeriodSeconds": 1})
    began = time.monotonic()
    live.kubectl("delete", "pod", name)
    assert 0.9 < time.monotonic() - began < 5


def test_a_deadline_ends_a_pod(live: Live) -> None:
    name = live.start(
        pod() | {"activeDeadlineSeconds": 1, "restartPolicy": "Never", "terminationGracePeriodSeconds": 0}
    )
    phase(live, name, "Failed")
    status = live.get("pod", name)["status"]
    assert status["reason"] == "DeadlineExceeded"
    assert status["message"] == "Pod was active on the node longer than the specified deadline"


def test_nothing_starts_after_the_deadline(live: Live) -> None:
    """The pod waits for a ConfigMap until its deadline; what comes after that is too late."""
    volumes = [{"name": "v", "configMap": {"name": "late"}}]
    name = live.start(pod() | {"activeDeadlineSeconds": 1, "restartPolicy": "Never", "volumes": volumes})
    phase(live, name, "Failed")
    live.kubectl("create", "configmap", "late", "--from-literal=a=b")
    time.sleep(1)
    status = live.get("pod", name)["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")
    assert "running" not in live.state(name)["state"]
    live.kubectl("delete", "configmap", "late")


def test_another_image_replaces_the_container_alone(live: Live) -> None:
    name = live.run(pod() | {"restartPolicy": "Never"})
    live.kubectl(
        "patch", "pod", name, "-p", '{"spec":{"containers":[{"name":"c","image":"shipline/pause:latest"}]}}'
    )
    live.until(lambda: live.state(name)["restartCount"] == 1 and live.state(name)["ready"])
    assert live.state(name)["image"] == "docker.io/shipline/pause:latest"


def test_a_sandbox_that_is_lost_is_made_anew(live: Live) -> None:
    import subprocess

    mounts = [{"name": "d", "mountPath": "/d"}]
    name = live.run(
        pod("date +%N >>/d/runs; sleep 1000", volumeMounts=mounts) | {"volumes": [{"name": "d", "emptyDir": {}}]}
    )
    filters = ("--filter", f"label=shipline.pod.name={name}", "--filter", "label=shipline.role=sandbox")
    sandbox = subprocess.check_output(["docker", "ps", "-q", *filters], text=True).strip()
    subprocess.run(["docker", "kill", sandbox], check=True, capture_output=True)
    live.until(lambda: live.state(name)["restartCount"] == 1 and live.state(name)["ready"])
    assert len(live.sh(name, "cat /d/runs").split()) == 2
    assert "SandboxChanged: Pod sandbox changed, it will be killed and re-created." in live.events(name)
