"""From a commit to a pipeline: what is kept of the compiled one, and choosing jobs."""

import pytest

from shipline.engine.creation import lean
from shipline.engine.errors import EngineError
from shipline.engine.selection import chosen
from shipline.language import Context, compile

TEXT = """
stages: [build, test]
build: {stage: build, script: [a]}
test: {stage: test, parallel: 2, script: [a], needs: [build]}
hand: {stage: test, when: manual, script: [a]}
"""


def test_tags_and_resource_groups_may_name_variables():
    text = "variables: {KIND: big}\njob: {script: [a], tags: [$KIND, x], resource_group: on/$CI_COMMIT_REF_NAME}\n"
    (job,) = lean(compile(text, Context(ref="side"))).jobs
    assert (job.tags, job.resource_group) == (["big", "x"], "on/side")


def test_what_is_in_no_variable_is_in_no_resource_group():
    text = "a: {script: [a], resource_group: on/$NOBODY}\nb: {script: [a], resource_group: $NOBODY}\n"
    assert [job.resource_group for job in lean(compile(text, Context())).jobs] == ["on/", None]


def test_chosen_jobs_want_nobody_else():
    compiled = compile(TEXT, Context())
    one = chosen(compiled, ["test"])
    assert [(job.name, job.needs) for job in one.jobs] == [("test 1/2", []), ("test 2/2", [])]
    assert one.stages == ["test"]
    assert [job.when for job in chosen(compiled, ["hand"]).jobs] == ["on_success"]
    with pytest.raises(EngineError, match="no job 'tset'"):
        chosen(compiled, ["tset"])
