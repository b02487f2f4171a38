"""The file that everything began with: two jobs, one of them started by hand."""

from pathlib import Path

import pytest

from shipline.language import Context, LanguageError, compile

TEXT = (Path(__file__).parent / "data" / "seed.gitlab-ci.yml").read_text()


def test_seed_compiles_to_its_two_jobs():
    pipeline = compile(TEXT, Context(mend_quoted_colons=True))
    build, deploy = pipeline.jobs
    assert pipeline.stages == ["build", "deploy"]
    assert (build.name, build.stage, build.when, build.tags) == ("build-job", "build", "always", ["kubernetes"])
    assert build.image.name == "registry.example.com/library/docker:latest"
    assert build.services[0].alias == "docker"
    assert (deploy.when, deploy.allow_failure) == ("manual", False)
    assert deploy.after_script == ["rm -f $KUBECONFIG calculator-deploy.yaml"]
    assert deploy.places["image"][:2] == (".gitlab-ci.yml", 83)


def test_the_line_that_yaml_takes_for_a_mapping_is_refused_as_gitlab_does():
    with pytest.raises(LanguageError) as refused:
        compile(TEXT, Context())
    (finding,) = refused.value.findings
    assert (finding.line, finding.source.strip()) == (
        71,
        '- echo "Build complete, image pushed to registry: $DOCKER_IMAGE"',
    )
    assert "put the whole line in quotes" in finding.hint


def test_the_same_line_is_text_with_a_warning_where_the_caller_wishes():
    pipeline = compile(TEXT, Context(mend_quoted_colons=True))
    assert pipeline.jobs[0].script[-1] == 'echo "Build complete, image pushed to registry: $DOCKER_IMAGE"'
    (warning,) = pipeline.warnings
    assert (warning.line, warning.check) == (71, "quoted-colon")
