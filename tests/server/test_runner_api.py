"""The runner API, call by call, as GitLab's runner uses it."""

import json
import threading
import time

from tests.server.conftest import Repository, Running, free_port, until

from shipline.server.settings import Settings


def test_a_job_from_request_to_end(server, project, agent):
    job = agent.job()
    assert job["job_info"]["name"] == "build-job"
    assert job["steps"][0]["script"] == ["echo building"]
    pipeline = job["job_info"]["pipeline_id"]
    assert job["git_info"]["refspecs"][0] == f"+refs/pipelines/{pipeline}:refs/pipelines/{pipeline}"
    assert job["git_info"]["repo_url"].endswith(f"@127.0.0.1:{server.settings.port}/{project.full_path}.git")
    assert agent.update(job, "running").headers["Job-Status"] == "running"
    answer = agent.trace(job, 0, b"building\n")
    assert (answer.status_code, answer.headers["Range"]) == (202, "0-9")
    answer = agent.update(job, "success", output={"checksum": "crc32:00000000", "bytesize": 9})
    assert (answer.status_code, answer.text, answer.headers["Job-Status"]) == (200, "200", "success")
    again = agent.update(job, "success")
    assert (again.status_code, again.headers["Job-Status"]) == (403, "success")
    assert server.inside(lambda instance: instance.store.read_trace(job["id"])) == b"building\n"


def test_nothing_to_do_is_204_with_the_queues_value(server, project, agent):
    agent.job()
    answer = agent.request()
    assert answer.status_code == 204
    assert answer.headers["X-GitLab-Last-Update"]


def test_a_held_question_is_answered_by_a_push(tmp_path):
    server = Running(Settings(home=tmp_path / "home", port=free_port()))  # which holds a question for 50 s
    try:
        repository = Repository(tmp_path / "clone", server.remote("root/held"))
        repository.commit({".gitlab-ci.yml": "job: {script: [make]}\n"})
        agent = server.runner()
        last = agent.request().headers["X-GitLab-Last-Update"]
        answers = []
        asking = threading.Thread(target=lambda: answers.append(agent.request(last_update=last)))
        asking.start()
        time.sleep(0.3)
        assert not answers
        pushed_at = time.monotonic()
        repository.push()
        asking.join(40)
        assert [answer.status_code for answer in answers] == [201]
        assert time.monotonic() - pushed_at < 2
    finally:
        server.stop()


def test_tags_and_pause_decide_who_gets_a_job(server, project, agent):
    for settings in ({"tags": ["windows"]}, {"tags": ["kubernetes"], "paused": True}, {"tags": []}):
        other = server.runner(kind="project_type", projects=[project.id], **settings)
        assert other.request().status_code == 204
    elsewhere = server.runner(kind="project_type", projects=[project.id + 1000], tags=["kubernetes"])
    assert elsewhere.request().status_code == 204
    assert agent.request().status_code == 201


def test_traces_take_ranges(agent):
    job = agent.job()
    assert agent.trace(job, 0, b"hello").headers["Range"] == "0-5"
    gap = agent.trace(job, 9, b"lost")
    assert (gap.status_code, gap.headers["Range"]) == (416, "0-5")
    assert agent.trace(job, 5, b", world").headers["Range"] == "0-12"
    repeated = agent.trace(job, 5, b", world")
    assert (repeated.status_code, repeated.headers["Range"]) == (202, "0-12")
    no_range = agent.server.call("PATCH", f"/jobs/{job['id']}/trace", headers={"JOB-TOKEN": job["token"]})
    assert (no_range.status_code, no_range.json()) == (400, {"message": "400 Missing header Content-Range"})


def test_a_log_that_lacks_bytes_is_asked_for_once(agent):
    job = agent.job()
    agent.trace(job, 0, b"12345")
    assert agent.update(job, "success", output={"bytesize": 9}).status_code == 412
    assert agent.update(job, "success", output={"bytesize": 9}).status_code == 200


def test_a_cancel_reaches_the_runner_with_its_next_call(server, agent):
    job = agent.job()
    server.inside(lambda instance: instance.pipelines.cancel(job["job_info"]["pipeline_id"], "build-job"))
    assert agent.trace(job, 0, b"x").headers["Job-Status"] == "canceling"
    assert agent.update(job, "running").headers["Job-Status"] == "canceling"
    assert agent.update(job, "failed").headers["Job-Status"] == "canceled"


def test_two_phases_leave_the_job_pending_until_the_runner_starts_it(server, agent):
    agent.info["features"]["two_phase_job_commit"] = True
    job = agent.job()
    status = lambda: server.inside(lambda instance: instance.store.job(job["id"]).status)  # noqa: E731
    assert status() == "pending"
    assert agent.request().status_code == 204
    assert agent.update(job, "success").status_code == 400
    assert agent.update(job, "pending").status_code == 200
    assert agent.update(job, "running").status_code == 200
    assert status() == "running"
    assert agent.update(job, "success").status_code == 200


def test_a_runner_that_never_starts_its_job_loses_it(server, agent):
    from shipline.server.tending import give_up_on_silent_runners

    agent.info["features"]["two_phase_job_commit"] = True
    job = agent.job()
    server.inside(lambda instance: give_up_on_silent_runners(instance, now=time.time() + 121))
    record = server.inside(lambda instance: instance.store.job(job["id"]))
    assert (record.status, record.failure_reason) == ("failed", "runner_provisioning_timeout")


def test_a_runner_that_falls_silent_loses_its_job_which_is_tried_again_if_it_says_so(server, agent, repository):
    from shipline.server.tending import give_up_on_silent_runners

    agent.update(agent.job(), "success")
    again = "retry: {max: 1, when: stuck_or_timeout_failure}"
    repository.commit({".gitlab-ci.yml": f"a:\n  script: x\n  {again}\n"})
    repository.push()
    job = agent.job()
    server.inside(lambda instance: give_up_on_silent_runners(instance, now=time.time() + 7200))
    record = server.inside(lambda instance: instance.store.job(job["id"]))
    assert (record.status, record.failure_reason) == ("failed", "no_updates_running")
    assert agent.job()["job_info"]["name"] == "a"


def test_a_job_token_opens_its_own_running_job_only(server, project, agent, repository):
    first = agent.job()
    repository.commit({})
    repository.push()
    second = agent.job()
    crossed = server.call("PUT", f"/jobs/{first['id']}", {"token": second["token"], "state": "success"})
    assert (crossed.status_code, crossed.json()) == (403, {"message": "403 Forbidden"})
    assert "Job-Status" not in crossed.headers
    assert server.call("PUT", "/jobs/999999", {"token": first["token"], "state": "success"}).status_code == 403
    assert server.call("PUT", f"/jobs/{first['id']}", {"state": "success"}).status_code == 400


def test_registration_with_the_instances_token(server):
    token = server.inside(lambda instance: instance.runners.registration_token())
    body = {"token": token, "description": "by hand", "tag_list": "a,b", "run_untagged": False}
    made = server.call("POST", "/runners", body)
    assert made.status_code == 201
    verified = server.call("POST", "/runners/verify", {"token": made.json()["token"], "system_id": "s_1"})
    assert (verified.status_code, verified.json()["id"]) == (200, made.json()["id"])
    assert server.call("DELETE", "/runners", {"token": made.json()["token"]}).status_code == 204
    assert server.call("POST", "/runners/verify", {"token": made.json()["token"]}).status_code == 403
    refused = server.call("POST", "/runners", {"token": token, "run_untagged": False})
    assert "tags_list" in refused.json()["message"]


def test_artifacts_up_and_down(server, agent):
    job = agent.job()
    url = f"/jobs/{job['id']}/artifacts"
    files = {"file": ("artifacts.zip", b"PK..." * 1000)}
    parameters = {"artifact_format": "zip", "artifact_type": "archive", "expire_in": "1 day"}
    headers = {"JOB-TOKEN": job["token"]}
    up = server.call("POST", url, files=files, params=parameters, headers=headers)
    assert (up.status_code, up.text) == (201, "201")
    assert server.call("GET", url, headers=headers).content == b"PK..." * 1000
    assert server.call("GET", url, headers={"JOB-TOKEN": "glcbt-wrong"}).status_code == 401
    agent.update(job, "success")
    assert server.call("GET", url, headers=headers).status_code == 401
    assert server.call("POST", url, files=files, headers=headers).status_code == 403


def test_the_server_stops_while_runners_wait(tmp_path):
    server = Running(Settings(home=tmp_path, port=free_port()))
    agent = server.runner()
    tick = agent.request().headers["X-GitLab-Last-Update"]
    waiting = threading.Thread(target=lambda: agent.request(last_update=tick))
    waiting.start()
    time.sleep(0.2)
    started = time.monotonic()
    server.stop()
    until(lambda: not waiting.is_alive(), 20)
    assert time.monotonic() - started < 3


def test_cleared_caches_are_not_found_any_more(server, project, agent, repository):
    text = "job: {tags: [kubernetes], script: [a], cache: {key: k, fallback_keys: [f], paths: [x]}}\n"
    found = []
    agent.update(agent.job(), "success")
    for number in range(3):
        if number:
            answer = server.api("POST", f"/projects/{project.id}/reset_cache")
            assert (answer.status_code, answer.json()) == (201, {"message": "201 Created"})
        repository.commit({".gitlab-ci.yml": text, "n": str(number)})
        repository.push()
        [cache] = agent.job()["cache"]
        found.append((cache["key"], cache["fallback_keys"]))
    assert found == [
        ("k-protected", ["f-protected"]),
        ("k-1-protected", ["f-1-protected"]),
        ("k-2-protected", ["f-2-protected"]),
    ]


def test_caches_are_separated_by_the_protection_of_refs_unless_the_project_says_otherwise(
    server, project, repository, agent
):
    text = "job: {tags: [kubernetes], script: [a], cache: {key: {files: [README.md]}, paths: [x]}}\n"
    keys = []
    for separated in ("true", "false"):
        answer = server.api("PUT", f"/projects/{project.id}", json={"ci_separated_caches": separated})
        assert answer.json()["ci_separated_caches"] is (separated == "true")
        repository.commit({".gitlab-ci.yml": text})
        repository.push("-q", "--force", "origin", "HEAD")
        while (job := agent.job())["job_info"]["name"] != "job":
            agent.update(job, "success")
        keys.append(job["cache"][0]["key"])
        agent.update(job, "success")
    digest = keys[1].removeprefix("0-")
    assert keys[0] == f"0-{digest}-protected"
    assert len(digest) == 40


def test_coverage_is_found_in_a_log_of_any_length_and_the_job_names_its_runner(server, project, agent, repository):
    agent.update(agent.job(), "success")
    text = "job: {tags: [kubernetes], script: [a], coverage: '/^covered (\\d+)%/'}\n"
    repository.commit({".gitlab-ci.yml": text})
    repository.push()
    job = agent.job()
    stamp = b"2026-11-24T00:14:21.907211Z 01O "
    log = stamp + b"covered 20%\n" + stamp + b"covered 75%\n" + (stamp + b"more\n") * 60_000
    agent.trace(job, 0, log)
    assert agent.update(job, "success").status_code == 200
    shown = server.api("GET", f"/projects/{project.id}/jobs/{job['id']}").json()
    assert (shown["coverage"], shown["runner_manager"]["system_id"]) == (75.0, "s_0123456789ab")
    whole = server.api("GET", f"/projects/{project.id}/pipelines/{job['job_info']['pipeline_id']}").json()
    assert whole["coverage"] == "75.00"


def test_steps_go_to_runners_that_know_them_alone(server, project, agent, repository):
    agent.job()
    steps = [{"name": "a", "func": "./f", "inputs": {"n": 1}}]
    ci = f"job:\n  run: {json.dumps(steps)}\n"
    agent.info = {"features": {"native_steps_integration": True}}
    repository.commit({".gitlab-ci.yml": ci})
    repository.push()
    job = agent.job()
    assert (job["steps"], json.loads(job["run"])) == ([], steps)
    agent.info = {"features": {}}
    repository.commit({".gitlab-ci.yml": ci, "a": "a"})
    repository.push()
    assert agent.request().status_code == 204
    newest = server.inside(lambda instance: instance.store.job(job["id"] + 1))
    assert (newest.status, newest.failure_reason) == ("failed", "runner_unsupported")
