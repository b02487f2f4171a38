"""The predefined variables of each kind of pipeline."""

import pytest

from shipline.language import Context, ExternalPullRequest, MergeRequest, Variable, compile
from shipline.language.job_variables import tier
from shipline.language.predefined import environment_slug, predefined, slug
from shipline.language.scopes import Scoped

SHA = "0123456789abcdef0123456789abcdef01234567"


def values(**context):
    return {item.key: item.value for item in predefined(Context(sha=SHA, **context))}


def test_a_push():
    found = values(ref="Feature/Add_It", commit_message="Add it\n\nBecause.\n", project_path="group/sub/app")
    assert found["CI_COMMIT_BRANCH"] == "Feature/Add_It"
    assert found["CI_COMMIT_REF_SLUG"] == "feature-add-it"
    assert found["CI_COMMIT_SHORT_SHA"] == "01234567"
    assert (found["CI_COMMIT_TITLE"], found["CI_COMMIT_DESCRIPTION"]) == ("Add it", "Because.")
    assert (found["CI_PROJECT_NAMESPACE"], found["CI_PROJECT_ROOT_NAMESPACE"]) == ("group/sub", "group")
    assert found["CI_PIPELINE_SOURCE"] == "push"
    assert "CI_COMMIT_TAG" not in found


def test_where_the_configuration_is():
    found = values(project_path="group/app", server_url="https://git.example.com:8443")
    assert found["CI_CONFIG_REF_URI"] == "git.example.com:8443/group/app//.gitlab-ci.yml@refs/heads/main"
    assert values(tag=True, ref="v1", config_path="ci/all.yml")["CI_CONFIG_REF_URI"].endswith(
        "//ci/all.yml@refs/tags/v1"
    )


def test_without_a_dependency_proxy_images_come_from_docker_hub():
    known = values()
    assert known["CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX"] == known["CI_DEPENDENCY_PROXY_SERVER"] == "docker.io"
    kept = values(dependency_proxy="git.example.com:443/group/dependency_proxy/containers")
    assert kept["CI_DEPENDENCY_PROXY_SERVER"] == "git.example.com:443"


def test_the_workflow_is_tried_before_the_pipeline_has_its_number():
    text = """
include: {local: more.yml, rules: [{if: $CI_PIPELINE_IID}]}
workflow:
  name: number $BUILD
  rules: [{if: $CI_PIPELINE_IID == "", variables: {BUILD: b$CI_PIPELINE_IID}}]
seventh: {script: x, rules: [{if: $CI_PIPELINE_IID == "7"}]}
eighth: {script: x, rules: [{if: $CI_PIPELINE_IID == "8"}]}
"""
    made = compile(text, Context(pipeline_iid=7))
    assert (made.name, [job.name for job in made.jobs]) == ("number b7", ["seventh"])


def test_what_only_a_pipeline_that_is_there_has_is_not_known_to_rules():
    keys = ("PIPELINE_ID", "PIPELINE_URL", "PIPELINE_CREATED_AT", "JOB_ID", "JOB_TOKEN", "JOB_URL", "RUNNER_ID")
    jobs = "".join(f"{key}: {{script: x, rules: [{{if: $CI_{key} == null}}]}}\n" for key in keys)
    assert [job.name for job in compile(jobs, Context()).jobs] == list(keys)


def test_rules_see_the_variables_of_their_jobs_environment():
    text = """
deploy: {stage: deploy, script: x, environment: review/$CI_JOB_STAGE/1, rules: [{if: $PLACE == "review"}]}
test: {script: x, rules: [{if: $PLACE == "anywhere"}]}
other: {script: x, environment: prod, rules: [{if: $PLACE == "review"}]}
"""
    kept = [Variable("PLACE", "anywhere"), Scoped("PLACE", "review", scope="review/deploy/*")]
    assert [job.name for job in compile(text, Context(project_variables=kept)).jobs] == ["deploy", "test"]


def test_what_is_made_after_the_rules_is_not_known_to_them():
    text = """
workflow: {name: mine}
named: {script: x, rules: [{if: $CI_PIPELINE_NAME == null}]}
placed: {script: x, environment: production, rules: [{if: $CI_ENVIRONMENT_SLUG == null && $CI_ENVIRONMENT_NAME}]}
"""
    named, placed = compile(text, Context()).jobs
    assert ("CI_PIPELINE_NAME", "mine") in {(v.key, v.value) for v in named.variables}
    assert ("CI_ENVIRONMENT_SLUG", "production") in {(v.key, v.value) for v in placed.variables}


def test_the_release_of_a_tag_is_known_when_it_is_there():
    text = "one: {script: x, release: {tag_name: v1, description: mine}, rules: [{if: $CI_RELEASE_DESCRIPTION}]}\n"
    assert compile(text, Context(ref="v1", tag=True)).jobs == []
    found = values(ref="v1", tag=True, release_description="a" * 1025)
    assert found["CI_RELEASE_DESCRIPTION"] == "a" * 1021 + "..."


def test_a_tag():
    found = values(ref="v1.0", tag=True, tag_message="First")
    assert (found["CI_COMMIT_TAG"], found["CI_COMMIT_TAG_MESSAGE"]) == ("v1.0", "First")
    assert "CI_COMMIT_BRANCH" not in found


def test_a_merge_request():
    request = MergeRequest(iid=7, title="T", source_branch="topic", target_branch="main", labels=["a", "b"])
    found = values(source="merge_request_event", ref="topic", merge_request=request)
    assert (found["CI_MERGE_REQUEST_IID"], found["CI_MERGE_REQUEST_LABELS"]) == ("7", "a,b")
    assert found["CI_MERGE_REQUEST_TARGET_BRANCH_NAME"] == "main"
    assert "CI_COMMIT_BRANCH" not in found
    request = MergeRequest(description="d" * 2701)
    assert values(source="merge_request_event", merge_request=request)["CI_MERGE_REQUEST_DESCRIPTION"] == (
        "d" * 2697 + "..."
    )


def test_other_sources():
    assert (
        values(source="schedule", schedule_description="Nightly")["CI_PIPELINE_SCHEDULE_DESCRIPTION"] == "Nightly"
    )
    assert values(source="trigger")["CI_PIPELINE_TRIGGERED"] == "true"
    assert values(source="parent_pipeline", upstream={"pipeline_id": 3})["CI_UPSTREAM_PIPELINE_ID"] == "3"
    request = ExternalPullRequest(iid=5, source_branch="topic")
    found = values(source="external_pull_request_event", external_pull_request=request)
    assert found["CI_EXTERNAL_PULL_REQUEST_IID"] == "5"


def test_the_server_s_address_in_parts():
    found = values(server_url="https://ci.example.com:8443", server_version="18.2.1-ee")
    assert (found["CI_SERVER_HOST"], found["CI_SERVER_PORT"]) == ("ci.example.com", "8443")
    assert (found["CI_SERVER_FQDN"], found["CI_SERVER_PROTOCOL"]) == ("ci.example.com:8443", "https")
    assert found["CI_SERVER_VERSION_MAJOR"] == "18"


@pytest.mark.parametrize(
    ("text", "slugged"), [("1.Rc--x", "1-rc--x"), ("-a-", "a"), ("x" * 70, "x" * 63), ("Ünï", "n")]
)
def test_slugs(text, slugged):
    assert slug(text) == slugged


def test_an_environment_s_slug_fits_a_host_name():
    assert environment_slug("production") == "production"
    long = environment_slug("review/a-very-long-branch-name")
    assert len(long) <= 24
    assert long.startswith("review-a-very-lon")
    assert environment_slug("1test").startswith("env-1test-")


@pytest.mark.parametrize(
    "name, expected",
    [
        ("preview/1", "development"),
        ("QA", "testing"),
        ("stag", "staging"),
        ("prd-eu", "production"),
        ("elsewhere", "other"),
    ],
)
def test_tier_is_guessed_from_the_name(name, expected):
    assert tier(name) == expected


def test_delayed_and_manual_jobs_are_actions_unless_their_rules_say_otherwise():
    text = """
    a: {script: x, when: delayed, start_in: 1 hour}
    b: {script: x, rules: [{when: manual}]}
    c: {script: x, when: manual, rules: [{when: on_success}]}
    """
    jobs = compile(text, Context()).jobs
    manual = {job.name: any(item.key == "CI_JOB_MANUAL" for item in job.variables) for job in jobs}
    assert manual == {"a": True, "b": True, "c": False}
