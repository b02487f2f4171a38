"""What a failed job's log or events say, and what the doctor makes of it."""

import pytest

from shipline.doctor import SYMPTOMS, diagnose

SEEN = {
    "docker-tls": "error during connect: http: server gave HTTP response to HTTPS client",
    "docker-daemon": "Cannot connect to the Docker daemon at tcp://docker:2375. Is the docker daemon running?",
    "push-without-login": 'Error response from daemon: Get "https://registry.com/v2/": unauthorized',
    "login-refused": "unauthorized: incorrect username or password",
    "login-without-value": "Error: Cannot perform an interactive login from a non TTY device",
    "image-missing": "image pull failed: app:2 (container build): registry.example.com/app:2: not found",
    "registry-away": 'image pull failed: nowhere.invalid/x:1 (container build): Head "https://nowhere.invalid/": '
    "dial tcp: lookup nowhere.invalid: no such host",
    "image-pull": "Failed to pull image: pull access denied",
    "envsubst": "        image: ${DOCKER_IMAGE}",
    "image-name": 'couldn\'t parse image name "Team/App:1": invalid reference format: repository name (Team/App) '
    "must be lowercase",
    "image-blank": "the image name 'python 3.12' of container build is not valid: invalid reference format",
    "volume": 'MountVolume.SetUp failed for volume "settings" : configmap "settings" not found',
    "mtu": "curl: (35) OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to docker:2376",
    "sandbox": "FailedCreatePodSandBox: Failed to create pod sandbox: network shipline-default not found",
    "no-room": "timed out waiting for pod to start: 0/3 nodes are available",
    "out-of-memory": "container build of pod default/runner-1 ran out of memory: exit code: 137, "
    "reason: 'OOMKilled'",
    "storage-limit": "pod default/runner-1 was evicted: Pod ephemeral local storage usage exceeds the total limit "
    "of containers 40Mi.",
    "pod-gone": "pod default/runner-1 is disrupted: EvictionByEvictionAPI",
    "dns": "fatal: unable to access 'https://git.example.com/': Could not resolve host: git.example.com",
    "certificate": "tls: failed to verify certificate: x509: certificate is not trusted",
    "forbidden": 'User "jane" cannot list resource "pods" in API group ""',
    "cluster-unreachable": "The connection to the server localhost:8080 was refused - did you "
    "specify the right host?",
    "kubeconfig": 'error: error loading config file "/tmp/kubeconfig": yaml: line 3',
    "webhook": 'admission webhook "policy.example.com" denied the request: no latest tags',
    "pull-policy": "the pull policy 'always' is not one of allowed_pull_policies: never",
    "log-limit": "Job's log exceeded limit of 4194304 bytes.",
    "no-shell": 'exec: "sh": executable file not found in $PATH',
    "permission": "error: could not lock config file //.gitconfig: Permission denied",
    "powershell": "step_script.sh: line 101: New-Item: command not found",
    "not-executable": "/tmp/job-1/step_script.sh: line 101: ./scripts/lint.sh: Permission denied",
    "line-ends": "step_script.sh: line 100: ./run.sh: cannot execute: required file not found",
    "left-open": "step_script.sh: line 102: unexpected EOF while looking for matching `\"'",
    "unset-variable": "step_script.sh: line 102: DEPLOY_HOST: unbound variable",
    "no-downstream-jobs": "ERROR: Job failed: Pipeline will not run for the selected trigger. The rules "
    "configuration prevented any jobs from being added to the pipeline.",
    "command-missing": "/scripts-7-1/2.sh: line 12: kubectl: command not found",
    "no-space": "write /var/lib/docker/tmp: no space left on device",
    "timeout": "ERROR: Job failed: execution took longer than 1h0m0s seconds",
}


@pytest.mark.parametrize("symptom", SYMPTOMS, ids=lambda symptom: symptom.name)
def test_each_symptom_is_recognised_by_what_users_see(symptom):
    found = {diagnosis.name: diagnosis for diagnosis in diagnose(f"before\n{SEEN[symptom.name]}\nafter\n")}
    assert found[symptom.name].line == SEEN[symptom.name].strip()
    assert "{" not in found[symptom.name].cause.replace("${", "")


def test_a_command_is_not_taken_for_powershell():
    assert [d.name for d in diagnose("run.sh: line 1: start-server: command not found")] == ["command-missing"]
    assert [d.name for d in diagnose("run.sh: line 1: :X: command not found")] == ["powershell"]


def test_what_failed_is_named_in_the_cause():
    (found,) = [d for d in diagnose("sh: 1: envsubst: not found") if d.name == "command-missing"]
    assert found.cause.startswith("The command envsubst is not where the job runs")


def test_events_are_diagnosed_as_logs_are():
    event = {
        "reason": "Failed",
        "message": 'Failed to pull image "private-registry.example.com/app:1": unauthorized',
    }
    assert [diagnosis.name for diagnosis in diagnose([event])] == ["image-pull"]


def test_a_command_that_is_only_echoed_is_no_symptom():
    assert diagnose("\x1b[32;1m$ grep OOMKilled log\x1b[0;m\nnothing found\n") == []


def test_a_good_log_has_no_symptoms():
    assert diagnose(b"Job succeeded\n") == []


def test_a_line_without_end_is_looked_at_in_no_time():
    for character in ("x", " ", "\ufffd", "a.", "x:", "/"):
        diagnose(character * (64 << 10))


def test_a_name_that_the_node_cannot_resolve_is_not_the_jobs():
    said = "image pull failed: x.invalid/y:1 (container build): dial tcp: lookup x.invalid: no such host"
    assert [each.name for each in diagnose(said)] == ["registry-away"]


def test_a_volume_that_is_missing_is_not_taken_for_a_full_cluster():
    said = 'timed out waiting for pod to start after 180s: FailedMount: configmap "settings" not found'
    assert [each.name for each in diagnose(said)] == ["volume"]


def test_a_node_that_makes_no_sandbox_is_not_taken_for_a_full_cluster():
    said = "timed out waiting for pod to start after 180s: FailedCreatePodSandBox: network x not found"
    assert [each.name for each in diagnose(said)] == ["sandbox"]


def test_a_field_that_kubernetes_refuses_is_no_command():
    assert diagnose('is invalid: [spec.containers[0].volumeMounts[2].name: Not found: "settings"]') == []


@pytest.mark.parametrize("name", ["image-missing", "registry-away", "storage-limit"])
def test_what_is_known_better_is_not_told_in_general_too(name):
    assert [diagnosis.name for diagnosis in diagnose(SEEN[name])] == [name]
