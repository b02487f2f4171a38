"""The variables of a job when a runner takes it: precedence, expansion, and what exists only then."""

import msgspec
from tests.engine.examples import COMMIT, SHA, compiled

from shipline.engine.job_variables import Facts, job_variables
from shipline.engine.live import Live
from shipline.engine.records import PipelineVariable, ProjectVariable
from shipline.protocol.payload import Variable


def variables(live: Live, name: str = "job", *kept: ProjectVariable, **changes) -> dict[str, Variable]:
    job = msgspec.structs.replace(live.jobs[name], started_at=1_800_000_000.0, **changes)
    facts = Facts(list(kept), "t0ken", "file:///project", runner="mine", runner_tags=("b", "a"), timeout=600)
    return {variable.key: variable for variable in job_variables(live, job, facts)}


def values(live: Live, name: str = "job", *kept: ProjectVariable, **changes) -> dict[str, str]:
    return {key: variable.value for key, variable in variables(live, name, *kept, **changes).items()}


def test_the_seeds_image_name_has_commit_and_pipeline_in_it():
    live = compiled(
        'variables: {DOCKER_IMAGE: "registry/app:${CI_COMMIT_SHORT_SHA}-${CI_PIPELINE_ID}"}\njob: {script: [a]}\n'
    )
    assert values(live)["DOCKER_IMAGE"] == "registry/app:1a2b3c4d-1"


def test_what_exists_only_now():
    found = values(compiled("job: {script: [a], tags: [x], when: manual}\n"), attempt=2, tags=["x"])
    assert found["CI_JOB_ID"] == "1" and found["CI_PIPELINE_ID"] == "1" and found["CI_PIPELINE_IID"] == "1"
    assert found["CI_JOB_URL"].endswith("/group/app/-/jobs/1")
    assert found["CI_PIPELINE_URL"].endswith("/group/app/-/pipelines/1")
    assert (found["CI_JOB_STARTED_AT"], found["CI_JOB_RETRY_COUNT"]) == ("2027-01-15T08:00:00Z", "1")
    assert (found["CI_JOB_TAGS"], found["CI_RUNNER_TAGS"]) == ('["x"]', '["a","b"]')
    assert (found["CI_JOB_TIMEOUT"], found["CI_RUNNER_DESCRIPTION"]) == ("600", "mine")
    assert (found["CI_JOB_MANUAL"], found["CI_JOB_NAME"], found["CI_COMMIT_SHA"]) == ("true", "job", SHA)


def test_the_token_is_masked_and_not_public():
    token = variables(compiled("job: {script: [a]}\n"))["CI_JOB_TOKEN"]
    assert (token.value, token.masked, token.public) == ("t0ken", True, False)


def test_the_registry_s_login_is_there_when_there_is_a_registry():
    assert "CI_REGISTRY_USER" not in values(compiled("job: {script: [a]}\n"))
    found = variables(compiled("job: {script: [a]}\n", registry="registry.local"))
    assert found["CI_REGISTRY_IMAGE"].value == "registry.local/group/app"
    assert found["CI_REGISTRY_USER"].value == "gitlab-ci-token"
    assert found["CI_REGISTRY_PASSWORD"].masked


def test_precedence_from_weak_to_strong():
    text = """
variables: {A: top, B: top, C: top, D: top, E: top, CI_PROJECT_NAME: mine}
job:
  variables: {B: job, C: job, D: job, E: job}
  script: [a]
"""
    live = compiled(text, variables={"D": "pipeline", "E": "pipeline"})
    kept = [ProjectVariable("C", "project"), ProjectVariable("D", "project")]
    found = values(live, "job", *kept, variables=[PipelineVariable("E", "play")])
    assert {key: found[key] for key in "ABCDE"} == {
        "A": "top",
        "B": "job",
        "C": "project",
        "D": "pipeline",
        "E": "play",
    }
    assert found["CI_PROJECT_NAME"] == "mine"


def test_nested_references_are_expanded_and_unknown_ones_left_to_the_runner():
    live = compiled("variables: {A: '$B/x', B: '${C}/y', C: z, D: '$HOME', E: '$$A'}\njob: {script: [a]}\n")
    found = values(live)
    assert {key: found[key] for key in "ABDE"} == {"A": "z/y/x", "B": "z/y", "D": "$HOME", "E": "$$A"}


def test_a_raw_or_file_variable_is_not_copied_into_others():
    live = compiled("variables: {A: '$RAW', B: '$FILE'}\njob: {script: [a]}\n")
    kept = [ProjectVariable("RAW", "$A", raw=True), ProjectVariable("FILE", "content", kind="file")]
    found = variables(live, "job", *kept)
    assert (found["A"].value, found["B"].value) == ("$RAW", "$FILE")
    assert found["RAW"].raw and found["FILE"].file


def test_a_dollar_in_a_commit_message_is_a_dollar():
    commit = msgspec.structs.replace(COMMIT, message="Costs $CI_JOB_TOKEN")
    found = variables(compiled("job: {script: [a]}\n", commit))["CI_COMMIT_MESSAGE"]
    assert (found.value, found.raw) == ("Costs $CI_JOB_TOKEN", True)


def test_a_project_s_variables_are_for_environments_and_protected_refs():
    kept = [
        ProjectVariable("KEY", "any"),
        ProjectVariable("KEY", "reviews", environment_scope="review/*"),
        ProjectVariable("KEY", "one", environment_scope="review/main"),
        ProjectVariable("SAFE", "secret", protected=True),
    ]
    text = """
job: {script: [a]}
review: {script: [a], environment: {name: review/$CI_COMMIT_REF_SLUG}}
"""
    live = compiled(text)
    assert values(live, "job", *kept)["KEY"] == "any"
    assert values(live, "review", *kept)["KEY"] == "one"
    assert values(live, "job", *kept)["SAFE"] == "secret"
    side = compiled(text, msgspec.structs.replace(COMMIT, ref="side"))
    assert values(side, "review", *kept)["KEY"] == "reviews"
    assert "SAFE" not in values(side, "job", *kept)


def test_an_environment_is_told_with_its_name_expanded():
    live = compiled(
        "job:\n  script: [a]\n"
        "  environment: {name: review/$CI_COMMIT_REF_NAME, url: 'https://$CI_ENVIRONMENT_SLUG.example.com'}\n"
    )
    found = values(live)
    assert found["CI_ENVIRONMENT_NAME"] == "review/main"
    assert found["CI_ENVIRONMENT_SLUG"].startswith("review-main-")
    assert found["CI_ENVIRONMENT_URL"] == f"https://{found['CI_ENVIRONMENT_SLUG']}.example.com"
    assert found["CI_ENVIRONMENT_ACTION"] == "start"


def test_secrets_of_the_project_are_not_stored_with_the_pipeline():
    live = compiled("job: {script: [a]}\n", project_variables=[])
    stored = msgspec.json.encode(live.compiled)
    assert b"CI_COMMIT_SHA" in stored and b"t0ken" not in stored
    assert stored.count(b"CI_COMMIT_SHA") == 1, "what is every job's is stored once"


def test_who_started_it_is_stronger_than_the_file_and_weaker_than_the_project():
    live = compiled(
        "variables: {GITLAB_USER_LOGIN: x, GITLAB_USER_NAME: x}\njob: {script: [a]}\n", user_login="kim"
    )
    assert values(live)["GITLAB_USER_LOGIN"] == "kim"
    kept = ProjectVariable("GITLAB_USER_LOGIN", "kept")
    assert values(live, "job", kept)["GITLAB_USER_LOGIN"] == "kept"
