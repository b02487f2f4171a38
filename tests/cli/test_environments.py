"""`shipline environments`: what jobs with `environment:` have deployed, stopping it, and going back."""

import json
import re
import time

REVIEW = """
review:
  script: [echo up]
  environment: {name: review/$CI_COMMIT_REF_SLUG, url: "https://$CI_COMMIT_REF_SLUG.example.com", on_stop: stop}
stop:
  script: [echo down]
  when: manual
  environment: {name: review/$CI_COMMIT_REF_SLUG, action: stop}
"""
PRODUCTION = """
deploy:
  script: ['cp version.txt "$TARGET"']
  environment: {name: production}
  rules: [{if: $TARGET}]
"""
SHORT = """
review:
  script: [echo up]
  environment: {name: review/app, on_stop: stop, auto_stop_in: 1 second}
stop:
  script: ['echo down > "$TARGET"']
  when: manual
  environment: {name: review/app, action: stop}
"""


def test_deployed_and_stopped(repository):
    sha = repository.commit(ci=REVIEW)
    assert "Nothing has been deployed" in repository.shipline("environments")
    repository.shipline("run")
    line = rf"^review/main  available  \S+ \S+  main {sha[:8]}  \(job 1\)  https://main\.example\.com$"
    assert re.search(line, repository.shipline("environments"), re.M)
    assert "down" in repository.shipline("environments", "stop", "review/main")
    assert re.search(r"^review/main  stopped ", repository.shipline("environments"), re.M)
    assert "is stopped already" in repository.shipline("environments", "stop", "review/main")
    repository.shipline("environments", "delete", "review/main")
    assert "Nothing has been deployed" in repository.shipline("environments")


def test_an_environment_without_a_stop_job_is_only_written_down_as_stopped(repository):
    repository.commit(ci="deploy: {script: [echo up], environment: staging}")
    repository.shipline("run")
    assert "'staging' is not stopped" in repository.shipline("environments", "delete", "staging", code=2)
    assert "it has no `on_stop` job" in repository.shipline("environments", "stop", "staging")
    assert "Did you mean 'staging'?" in repository.shipline("environments", "stop", "stagin", code=2)
    repository.shipline("run")
    assert re.search(r"^staging  available ", repository.shipline("environments"), re.M)


def test_rolling_back_runs_the_job_of_the_earlier_deployment_for_its_own_commit(repository, tmp_path):
    target = tmp_path / "deployed"
    first = repository.commit(ci=PRODUCTION, **{"version.txt": "1"})
    repository.shipline("run", "-v", f"TARGET={target}")
    repository.commit(**{"version.txt": "2"})
    repository.shipline("run", "-v", f"TARGET={target}")
    assert target.read_text() == "2"
    shown = repository.shipline("environments", "rollback", "production")
    assert target.read_text() == "1"
    assert f"Deploying main {first[:8]} to production again, by 'deploy' (job 1)." in shown
    assert re.search(rf"main {first[:8]}  \(job 3\)$", repository.shipline("environments"), re.M)
    history = repository.shipline("environments", "show", "production")
    assert re.findall(r"^([* ]) job (\d)  success", history, re.M) == [("*", "3"), (" ", "2"), (" ", "1")]
    repository.shipline("environments", "rollback", "production", "2")
    assert target.read_text() == "2"
    wrong = repository.shipline("environments", "rollback", "production", "9", code=2)
    assert "Job 9 has not deployed to 'production'. Jobs that have: 4, 3, 2, 1" in wrong


def test_what_is_due_to_stop_is_stopped_by_its_job(repository, tmp_path):
    target = tmp_path / "stopped"
    repository.commit(ci=SHORT)
    repository.shipline("run", "-v", f"TARGET={target}")
    time.sleep(1.1)
    shown = repository.shipline("environments")
    assert "review/app is due to stop: its auto_stop_in (1 second) has passed." in shown
    assert target.read_text() == "down\n"
    assert re.search(r"^review/app  stopped ", shown, re.M)


def test_an_older_pipeline_does_not_deploy_over_a_newer_one(repository):
    ci = "deploy: {script: [echo up], environment: production, when: manual}"
    repository.commit(ci=ci)
    repository.shipline("run")
    repository.commit("Newer")
    repository.shipline("run")
    repository.shipline("play", "deploy", "--pipeline", "2")
    shown = repository.shipline("play", "deploy", "--pipeline", "1")
    assert "the deployment job is older than the previously succeeded deployment job (job 2" in shown
    assert "it is older than what is deployed" in shown
    repository.shipline("retry", "deploy", "--pipeline", "1")
    repository.shipline("environments", "outdated", "allow")


def test_coverage_is_in_the_summary(repository):
    repository.commit(ci="test:\n  script: ['echo Lines: 81.5%']\n  coverage: '/Lines: \\d+\\.\\d+%/'\n")
    assert re.search(r"test +success .* coverage 81\.5 %", repository.shipline("run"))


def test_an_address_may_be_what_the_job_reports(repository):
    ci = """
deploy:
  script: ['echo "HOST=abc" > deploy.env']
  artifacts: {reports: {dotenv: deploy.env}}
  environment: {name: production, url: "https://$HOST.example.com/$CI_JOB_NAME"}
"""
    repository.commit(ci=ci)
    repository.shipline("run")
    assert "  https://abc.example.com/deploy" in repository.shipline("environments")


def test_resource_groups_and_their_process_modes(repository):
    repository.commit(ci="deploy: {script: [echo up], resource_group: production}")
    assert "There are no resource groups" in repository.shipline("resource-groups")
    repository.shipline("run")
    assert repository.shipline("resource-groups") == "production  unordered\n"
    repository.shipline("resource-groups", "set", "production", "oldest_first")
    assert repository.shipline("resource-groups") == "production  oldest_first\n"
    repository.shipline("run")


def test_a_stop_job_that_fails_stops_nothing(repository):
    repository.commit(ci=REVIEW.replace("echo down", "exit 3"))
    repository.shipline("run")
    shown = repository.shipline("environments", "stop", "review/main", code=1)
    assert "review/main is not stopped: 'stop' has not succeeded." in shown
    (found,) = json.loads(repository.shipline("environments", "--json"))
    assert (found["state"], found["last_deployment"]["job_id"]) == ("available", 1)
    repository.shipline("environments", "stop", "review/main", "--force")
    assert "review/main  stopped" in repository.shipline("environments")


def test_other_actions_use_an_environment_and_may_put_off_its_end(repository):
    job = "{script: ['echo %s $CI_ENVIRONMENT_TIER'], environment: {name: eu, action: %s}}"
    jobs = "".join(f"{action}: {job % (action, action)}\n" for action in ("access", "prepare", "verify"))
    repository.commit(ci=jobs)
    repository.shipline("run")
    assert repository.shipline("environments") == "eu  available\n"
    ci = "deploy: {script: [echo], environment: {name: eu, auto_stop_in: 1 hour}}\n"
    repository.commit(ci=ci)
    repository.shipline("run")
    (before,) = json.loads(repository.shipline("environments", "--json"))
    repository.commit(ci=jobs)
    repository.shipline("run", "--job", "verify")
    (same,) = json.loads(repository.shipline("environments", "--json"))
    repository.shipline("run", "--job", "access")
    (later,) = json.loads(repository.shipline("environments", "--json"))
    assert before["auto_stop_at"] == same["auto_stop_at"] < later["auto_stop_at"]
