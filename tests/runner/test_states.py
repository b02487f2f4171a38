"""What a pod's status means for its job."""

import pytest

from shipline.runner.pod.states import failed_preparation, problem, waiting_reasons


def pod(*statuses, phase="Pending", conditions=(), deleted=False, **status):
    metadata = {"name": "runner-1", "namespace": "ci"} | ({"deletionTimestamp": "now"} if deleted else {})
    containers = [{"name": name, "image": f"{name}-image"} for name in ("build", "helper", "svc-0")]
    found = {"phase": phase, "containerStatuses": list(statuses), "conditions": list(conditions)} | status
    return {"metadata": metadata, "spec": {"containers": containers}, "status": found}


def waiting(name, reason, message=""):
    return {"name": name, "image": f"{name}-image", "state": {"waiting": {"reason": reason, "message": message}}}


def ended(name, code, reason="Error", message=""):
    return {"name": name, "state": {"terminated": {"exitCode": code, "reason": reason, "message": message}}}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("dial tcp 10.0.0.1:443: i/o timeout", "runner_external_dependency_failure"),
        ("unexpected status code 401 Unauthorized", "runner_configuration_error"),
        ("manifest unknown: not found", "runner_configuration_error"),
        ("something else", "image_pull_failure"),
    ],
)
def test_a_failed_pull_is_judged_by_the_registrys_words(message, reason):
    found = problem(pod(waiting("build", "ErrImagePull", message)))
    assert found.reason == reason
    assert found.pulling
    assert found.message == f"image pull failed: build-image (container build): {message}"


def test_a_helper_that_cannot_be_pulled_says_what_to_set():
    found = problem(pod(waiting("helper", "ImagePullBackOff", "not found")))
    assert found.hint.startswith("Set helper_image")
    assert not found.pulling


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (waiting("svc-0", "InvalidImageName"), "runner_configuration_error", "'svc-0-image' of container svc-0"),
        (waiting("build", "CreateContainerConfigError", 'secret "x" not found'), "runner_configuration_error",
        "secret"), (waiting("svc-0", "CrashLoopBackOff"), "runner_configuration_error", "CrashLoopBackOff"),
        (ended("build", 137, "OOMKilled"), "runner_system_failure", "exit code: 137, reason: 'OOMKilled'"),
        (ended("build", 128, "StartError", 'exec: "sh": executable file not found in $PATH'),
         "runner_configuration_error", "cannot start"),
        (ended("helper", 0, "Completed"), "runner_system_failure", "ended by itself"),
    ],
)  # fmt: skip
def test_containers_that_stop_the_job(status, reason, words):
    found = problem(pod(status))
    assert found.reason == reason
    assert words in found.message


def test_a_service_that_ended_does_not_stop_the_job():
    assert problem(pod(ended("svc-0", 1), phase="Running")) is None


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (pod(phase="Failed", reason="Evicted", message="low on memory"), "evicted: low on memory"),
        (pod(phase="Failed", reason="NodeLost"), "failed: NodeLost"),
        (
            pod(conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]),
            "disrupted",
        ),
        (pod(phase="Running", deleted=True), "deleted by somebody else"),
    ],
)
def test_pods_that_are_taken_away(state, words):
    found = problem(state)
    assert found.reason == "runner_system_failure"
    assert words in found.message
    assert "ci/runner-1" in found.message


def test_the_deadline_is_the_jobs_timeout():
    assert problem(pod(phase="Failed", reason="DeadlineExceeded")).reason == "job_execution_timeout"


def test_what_a_pod_waits_for():
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available",
    }
    state = pod(
        waiting("build", "ContainerCreating"), waiting("svc-0", "ImagePullBackOff", "no"), conditions=[condition]
    )
    assert waiting_reasons(state) == [
        "Unschedulable: 0/1 nodes are available",
        "container svc-0: ImagePullBackOff: no",
    ]


def test_a_service_that_cannot_be_started_says_what_of_it_to_correct():
    told = 'exec: "/nope": stat /nope: no such file or directory'
    assert "`entrypoint` or `command`" in problem(pod(ended("svc-0", 128, "StartError", told))).hint
    assert "has no shell" in problem(pod(ended("build", 128, "StartError", told))).hint


def test_a_wrong_image_name_is_told_in_the_kubelets_words():
    found = problem(pod(waiting("build", "InvalidImageName", "repository name (A) must be lowercase")))
    assert found.message.endswith("is not valid: repository name (A) must be lowercase")


def test_a_pod_that_wrote_more_than_it_may_is_told_of_its_limit():
    told = "Pod ephemeral local storage usage exceeds the total limit of containers 50Mi. "
    assert "raise ephemeral_storage_limit" in problem(pod(phase="Failed", reason="Evicted", message=told)).hint
    told = "The node was low on resource: memory."
    assert "The node ran short" in problem(pod(phase="Failed", reason="Evicted", message=told)).hint


def prepared(*statuses, **fields):
    """A pod into which somebody has put the init container `mesh`."""
    found = pod(initContainerStatuses=list(statuses))
    found["spec"]["initContainers"] = [{"name": "mesh", "image": "mesh-image"} | fields]
    return found


def test_an_init_container_that_fails_is_named_with_who_may_have_put_it_there():
    found = problem(prepared(ended("mesh", 3)))
    assert (
        found.message == "init container mesh (mesh-image) of pod ci/runner-1 failed: exit code: 3, reason: 'Error'"
    )
    assert found.hint.startswith("This container is none of the job's own: a webhook")
    assert failed_preparation(prepared(ended("mesh", 3))) == "mesh"
    assert problem(prepared(ended("mesh", 0, "Completed"))) is None


def test_an_init_container_whose_image_cannot_be_had_is_not_waited_for():
    state = prepared(waiting("mesh", "ErrImagePull", "manifest unknown"))
    found = problem(state)
    assert found.message == "image pull failed: mesh-image (container mesh): manifest unknown"
    assert not found.pulling  # no pull policy of the job's is asked for it
    assert waiting_reasons(state) == ["container mesh: ErrImagePull: manifest unknown"]


def test_a_sidecar_that_is_begun_again_does_not_stop_the_job():
    assert problem(prepared(ended("mesh", 1), restartPolicy="Always")) is None
    assert problem(prepared(waiting("mesh", "CrashLoopBackOff"), restartPolicy="Always")) is None
