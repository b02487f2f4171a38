"""Jobs as pods of a cluster."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import subprocess
import time

import msgspec
import pytest
from tests.runner.desk import Desk, job, repository, run

from shipline.protocol.payload import Credentials, Image, Variable
from shipline.runner import Runner

pytestmark = pytest.mark.engine


def kubectl(pods, *words):
    command = ["kubectl", "--kubeconfig", pods.kubeconfig, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def pods_of(pods, payload):
    """The pods of a job that still are there and aren't on their way out."""
    found = json.loads(kubectl(pods, "get", "pods", "-o", "json"))["items"]
    mine = [
        pod for pod in found if pod["metadata"]["annotations"].get("job.runner.gitlab.com/id") == str(payload.id)
    ]
    return [pod for pod in mine if "deletionTimestamp" not in pod["metadata"]]


async def ran(pods, payload):
    desk = Desk(payload)
    await asyncio.wait_for(run(pods, desk), 90)
    return desk.log(payload), desk.results[payload.id]


async def test_a_job_runs_on_its_commit_and_its_pod_is_gone_afterwards(pods, source):
    payload = job(
        source, "cat hello.txt", "pwd; git rev-parse HEAD", "echo $CI_JOB_STATUS", image="shipline/helper"
    )
    log, result = await ran(pods, payload)
    assert result.state == "success", log
    assert "\x1b[32;1m$ cat hello.txt\x1b[0;m\nhello from the commit\n" in log
    assert f"/builds/group/app\n{source[1]}\n" in log
    assert pods_of(pods, payload) == []


async def test_the_checkout_has_the_history_and_the_tags_that_were_asked_for(pods, source, tmp_path):
    commands = "git tag old; git commit -q --allow-empty -m a; git commit -q --allow-empty -m b; git tag new"
    who = "export GIT_AUTHOR_NAME=T GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=T GIT_COMMITTER_EMAIL=t@t"
    last = f"{who}; {commands}; git rev-parse HEAD"
    sha = await asyncio.to_thread(subprocess.check_output, last, shell=True, cwd=tmp_path / "repository", text=True)
    for depth, tags in ((2, "new"), (0, "new old")):
        payload = job(
            (source[0], sha.strip()), "echo $(git tag -l) $(git rev-list --count HEAD)", image="shipline/helper"
        )
        payload.git_info.depth = depth
        log, _ = await ran(pods, payload)
        assert f"\n{tags} {depth or 3}\n" in log


async def test_an_image_with_nothing_but_busybox_will_do(pods, source):
    log, result = await ran(pods, job(source, "cat hello.txt", "exit 3", image="shipline/pause"))
    assert "hello from the commit" in log
    assert (result.failure_reason, result.exit_code) == ("script_failure", 3)
    assert "ERROR: Job failed: command terminated with exit code 3" in log


async def test_a_helper_of_nothing_but_busybox_carries_scripts_and_log(pods, source):
    kubernetes = msgspec.structs.replace(pods.kubernetes, helper_image="shipline/pause")
    payload = job(source, "seq 1 5000", after=["echo after"], variables=[Variable("GIT_STRATEGY", "none")])
    log, result = await ran(msgspec.structs.replace(pods, kubernetes=kubernetes), payload)
    assert result.state == "success", log
    assert "\n4999\n5000\n" in log
    assert "\nafter\n" in log


async def test_jobs_of_one_commit_at_the_same_time(pods, source):
    jobs = [job(source, "cat hello.txt", image="shipline/pause") for _ in range(5)]
    desk = Desk(*jobs)
    await asyncio.wait_for(run(msgspec.structs.replace(pods, limit=4), desk, len(jobs)), 120)
    assert [desk.results[each.id].state for each in jobs] == ["success"] * 5
    assert all("hello from the commit" in desk.log(each) for each in jobs)


async def test_after_script_has_its_own_shell_and_knows_how_the_script_ended(pods, source):
    payload = job(source, "export LEFT=yes; false", after=['echo "status=$CI_JOB_STATUS left=$LEFT"'])
    log, result = await ran(pods, payload)
    assert "status=failed left=\n" in log
    assert result.exit_code == 1


async def test_a_child_left_in_the_background_does_not_hold_the_job(pods, source):
    start = time.monotonic()
    log, result = await ran(pods, job(source, "sleep 60 & echo started"))
    assert result.state == "success", log
    assert time.monotonic() - start < 30


async def test_output_to_dev_stderr_opened_anew_does_not_cut_the_log(pods, source):
    log, _ = await ran(pods, job(source, "echo one", "echo two > /dev/stderr", "echo three > /dev/stdout"))
    assert log.index("\none\n") < log.index("\ntwo\n") < log.index("\nthree\n")


async def test_secrets_are_in_no_pod_spec_log_or_process_list(pods, source):
    secret = "s3cr3t-of-the-job"
    script = [
        "echo value=$TOKEN",
        "cat $FILE",
        "ps -ef 2>/dev/null || cat /proc/[0-9]*/cmdline | tr '\\0' ' '",
        "sleep 1",
    ]
    variables = [Variable("TOKEN", secret, masked=True), Variable("FILE", f"file {secret}", file=True)]
    payload = job(source, *script, image="shipline/helper", variables=variables)
    desk = Desk(payload)
    running = asyncio.create_task(run(pods, desk))
    await desk.says(payload, "value=")
    spec = json.dumps(pods_of(pods, payload))
    await running
    assert "value=[MASKED]\n" in desk.log(payload)
    assert "file [MASKED]" in desk.log(payload)
    assert secret not in desk.log(payload)
    assert secret not in spec


async def test_a_service_answers_to_its_alias_before_the_script_starts(pods, source):
    service = Image(
        "shipline/pause",
        alias="web,other.example.com,my_web",
        entrypoint=["sh", "-c"],
        command=['mkdir /www; echo "served by $NAME" > /www/index.html; exec httpd -f -p 8080 -h /www'],
        variables=[Variable("HEALTHCHECK_TCP_PORT", "8080"), Variable("NAME", "svc")],
    )
    script = ["wget -q -O - http://web:8080/", "cat /etc/hosts"]
    payload = job(source, *script, image="shipline/pause", services=[service])
    log, result = await ran(pods, payload)
    assert result.state == "success", log
    assert "served by svc" in log
    assert "other.example.com" in log
    assert "no service answers to my_web" in log


async def test_a_service_that_fails_is_named_with_its_last_lines(pods, source):
    command = ["for i in 1 2 3; do echo line $i; done; echo cannot open the database >&2; exit 4"]
    service = Image("shipline/pause", alias="db", entrypoint=["sh", "-c"], command=command)
    log, result = await ran(pods, job(source, "sleep 3; echo went on", services=[service]))
    assert result.state == "success", log
    assert "WARNING: service db (shipline/pause) ended with exit code 4. Its last lines:" in log
    assert "svc-0 | cannot open the database" in log


async def test_a_job_does_not_wait_for_a_service_that_is_over(pods, source):
    command = ["echo no password; exit 1"]
    port = [Variable("HEALTHCHECK_TCP_PORT", "5432")]
    service = Image("shipline/pause", alias="db", entrypoint=["sh", "-c"], command=command, variables=port)
    log, result = await ran(pods, job(source, "echo went on", services=[service]))
    assert result.failure_reason == "runner_system_failure" and "\nwent on\n" not in log
    assert "svc-0 | no password" in log
    assert "service db (shipline/pause) ended before it answered on TCP port 5432" in log


@pytest.mark.parametrize("aloud", ["1", ""])
async def test_what_services_print_is_in_the_log_on_request(pods, source, aloud):
    command = ["echo getting up; sleep 2; echo ready for connections; sleep 60"]
    service = Image("shipline/pause", alias="db", entrypoint=["sh", "-c"], command=command)
    wanted = [Variable("CI_DEBUG_SERVICES", aloud, public=True)]
    log, result = await ran(pods, job(source, "sleep 4", services=[service], variables=wanted))
    assert result.state == "success", log
    for words in ("getting up", "ready for connections"):
        found = re.search(rf"\[service:shipline/pause-db\] \d{{4}}-\S+Z {words}\b", log)
        assert bool(found) == bool(aloud), log


async def test_a_service_that_never_listens_is_named_and_the_job_goes_on(pods, source):
    variables = [Variable("HEALTHCHECK_TCP_PORT", "9999")]
    service = Image("shipline/pause", alias="late", entrypoint=["sh", "-c"], command=["echo warming up; sleep 300"],
                    variables=variables)  # fmt: skip
    payload = job(
        source, "echo went on", services=[service], variables=[Variable("WAIT_FOR_SERVICES_TIMEOUT", "2")]
    )
    log, _ = await ran(pods, payload)
    assert "service late (shipline/pause) does not answer on TCP port 9999 after 2s" in log
    assert log.index("warming up") < log.index("went on")


async def test_an_image_that_does_not_exist_fails_with_a_clear_message(pods, source):
    start = time.monotonic()
    log, result = await ran(pods, job(source, "true", image="127.0.0.1:9/no/such:image"))
    assert result.failure_reason in (
        "runner_external_dependency_failure",
        "runner_configuration_error",
        "image_pull_failure",
    )
    assert "image pull failed: 127.0.0.1:9/no/such:image (container build): " in log
    assert time.monotonic() - start < 30


async def test_the_next_pull_policy_is_tried_after_a_failed_pull(pods, source):
    kubernetes = msgspec.structs.replace(pods.kubernetes, pull_policy=["always", "if-not-present"])
    patient = msgspec.structs.replace(pods, kubernetes=kubernetes)
    log, result = await ran(patient, job(source, "echo it runs", image="shipline/pause"))
    assert "trying the next pull policy" in log
    assert result.state == "success", log


async def test_a_namespace_that_is_missing_is_named(pods, source):
    elsewhere = msgspec.structs.replace(
        pods, kubernetes=msgspec.structs.replace(pods.kubernetes, namespace="nowhere")
    )
    log, result = await ran(elsewhere, job(source, "true"))
    assert result.failure_reason == "runner_system_failure"
    assert "Make the namespace nowhere" in log


async def test_a_pod_that_fits_nowhere_says_what_it_waited_for(pods, source):
    kubernetes = msgspec.structs.replace(pods.kubernetes, cpu_request="4000", poll_timeout=1.5)
    log, result = await ran(msgspec.structs.replace(pods, kubernetes=kubernetes), job(source, "true"))
    assert result.failure_reason == "runner_system_failure"
    assert "Insufficient cpu" in log
    assert "timed out waiting for pod to start" in log


async def test_a_job_that_takes_too_long_is_ended(pods, source):
    log, result = await ran(pods, job(source, "echo begun; sleep 100", after=["echo after"], timeout=6))
    assert result.failure_reason == "job_execution_timeout"
    assert "execution took longer than 6s" in log
    assert "$ echo after" not in log


async def test_canceling_ends_the_script_and_runs_after_script(pods, source):
    payload = job(source, "echo begun; sleep 100; echo not this", after=["echo after=$CI_JOB_STATUS"])
    desk = Desk(payload)
    running = asyncio.create_task(run(pods, desk))
    await desk.says(payload, "begun\n")
    desk.order(payload).set_result("canceling")
    start = time.monotonic()
    await running
    assert time.monotonic() - start < 10
    assert desk.results[payload.id].failure_reason == "job_canceled"
    assert "after=canceled" in desk.log(payload)
    assert "\nnot this" not in desk.log(payload)


async def test_canceled_takes_the_pod_away_at_once(pods, source):
    payload = job(source, "echo begun; sleep 100", after=["echo after"])
    desk = Desk(payload)
    running = asyncio.create_task(run(pods, desk))
    await desk.says(payload, "begun\n")
    desk.order(payload).set_result("canceled")
    await asyncio.wait_for(running, 30)
    assert pods_of(pods, payload) == []
    assert "$ echo after" not in desk.log(payload)


async def test_a_runner_that_is_stopped_by_force_leaves_no_pod(pods, source):
    payload = job(source, "echo begun; sleep 100")
    desk = Desk(payload)
    running = asyncio.create_task(Runner(pods, desk).run())
    await desk.says(payload, "begun\n")
    start = time.monotonic()
    running.cancel()
    await asyncio.wait([running])
    assert time.monotonic() - start < 5
    assert desk.results[payload.id].failure_reason == "runner_interrupted"
    assert pods_of(pods, payload) == []


async def test_a_pod_deleted_by_somebody_else_fails_the_job_at_once(pods, source):
    payload = job(source, "echo begun; sleep 100")
    desk = Desk(payload)
    running = asyncio.create_task(run(pods, desk))
    await desk.says(payload, "begun\n")
    name = pods_of(pods, payload)[0]["metadata"]["name"]
    kubectl(pods, "delete", "pod", name, "--wait=false", "--grace-period=1")
    await asyncio.wait_for(running, 20)
    assert desk.results[payload.id].failure_reason == "runner_system_failure"
    assert "is being deleted by somebody else" in desk.log(payload)


async def test_registry_logins_travel_in_a_secret_that_the_pod_owns(pods, source):
    login = Credentials("registry", "registry.example.com", "robot", "pass-of-robot")
    payload = job(source, "echo begun; sleep 3", credentials=[login])
    desk = Desk(payload)
    running = asyncio.create_task(run(pods, desk))
    await desk.says(payload, "begun\n")
    pod = pods_of(pods, payload)[0]
    secret = json.loads(kubectl(pods, "get", "secret", pod["spec"]["imagePullSecrets"][0]["name"], "-o", "json"))
    await running
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    assert secret["metadata"]["ownerReferences"][0]["uid"] == pod["metadata"]["uid"]
    assert "pass-of-robot" not in json.dumps(pod)


async def test_a_user_without_rights_can_write_to_the_checkout(pods, source):
    image = Image("shipline/debian", executor_opts={"kubernetes": {"user": "1000:1000"}})
    script = ["id -u", "echo more >> hello.txt; mkdir new; echo 1 > new/file; rm -r bin", "cat hello.txt"]
    log, result = await ran(pods, job(source, *script, image=image))
    assert result.state == "success", log
    assert "\n1000\n" in log
    assert "hello from the commit\nmore\n" in log


async def test_large_files_come_with_the_commit(pods, tmp_path):
    content = b"the large content\n"
    name = hashlib.sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {len(content)}\n"
    attributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
    source = repository(tmp_path / "large", {"large.bin": pointer, ".gitattributes": attributes})
    stored = tmp_path / "large" / ".git" / "lfs" / "objects" / name[:2] / name[2:4]
    stored.mkdir(parents=True)
    (stored / name).write_bytes(content)
    log, result = await ran(pods, job(source, "cat large.bin"))
    assert result.state == "success", log
    assert "\nthe large content\n" in log


async def test_a_long_log_arrives_whole_and_in_order(pods, source):
    long = msgspec.structs.replace(pods, output_limit=1 << 16)
    log, result = await ran(long, job(source, "seq 1 200000", image="shipline/helper"))
    assert result.state == "success"
    numbers = [int(line) for line in log.splitlines() if line.isdigit()]
    assert numbers == list(range(1, 200001))


async def test_a_script_that_does_not_want_to_end_is_killed(pods, source):
    payload = job(
        source, "trap '' TERM; echo begun; while true; do sleep 1; done", after=["echo after=$CI_JOB_STATUS"]
    )
    desk = Desk(payload)
    running = asyncio.create_task(run(pods, desk))
    await desk.says(payload, "begun\n")
    desk.order(payload).set_result("canceling")
    await asyncio.wait_for(running, 20)
    assert "after=canceled" in desk.log(payload)


async def test_the_project_may_have_another_folder_of_the_builds(pods, source):
    other = [Variable("GIT_CLONE_PATH", "$CI_BUILDS_DIR/other/place")]
    log, result = await ran(pods, job(source, "pwd; cat hello.txt; echo $CI_PROJECT_DIR", variables=other))
    assert result.state == "success", log
    assert "\n/builds/other/place\nhello from the commit\n/builds/other/place\n" in log
