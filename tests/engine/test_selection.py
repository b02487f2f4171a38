"""Choosing among a pipeline's jobs."""

from hypothesis import given
from hypothesis import strategies as st

from shipline.engine.selection import Selection, selected
from shipline.language import Context, compile

TEXT = """
stages: [a, b, c]
first: {stage: a, script: [x]}
late: {stage: a, when: delayed, start_in: 1 hour, script: [x]}
rescue: {stage: a, when: on_failure, script: [x]}
maybe: {stage: a, when: manual, script: [x], allow_failure: true}
gate: {stage: a, when: manual, script: [x], allow_failure: false}
group: {stage: b, parallel: 2, script: [x], needs: [maybe]}
last: {stage: c, script: [x]}
"""
PIPELINE = compile(TEXT, Context())


def whens(selection: Selection) -> dict[str, str]:
    return {job.name: job.when for job in selected(PIPELINE, selection).jobs}


def test_nothing_named_is_everything_as_it_is():
    assert selected(PIPELINE, Selection()) is PIPELINE


def test_what_a_needed_job_waits_for_starts_by_itself():
    assert whens(Selection(jobs=("group",), needs=True)) == {
        "maybe": "on_success",
        "group 1/2": "on_success",
        "group 2/2": "on_success",
    }


def test_the_stages_before_are_needed_but_for_what_holds_nobody_up():
    found = whens(Selection(jobs=("last",), needs=True))
    assert found == {
        "first": "on_success",
        "late": "on_success",
        "maybe": "on_success",  # the groups need it
        "gate": "on_success",
        "group 1/2": "on_success",
        "group 2/2": "on_success",
        "last": "on_success",
    }


def test_a_stage_keeps_its_manual_jobs_waiting():
    assert whens(Selection(stages=("a",)))["gate"] == "manual"
    assert whens(Selection(stages=("a",), manual=("gate",)))["gate"] == "on_success"
    assert whens(Selection(all_manual=True))["maybe"] == "on_success"


NAMES = st.sampled_from(["first", "late", "rescue", "maybe", "gate", "group", "group 1/2", "last"])


@given(st.lists(NAMES, max_size=3), st.lists(st.sampled_from("abc"), max_size=2), st.booleans(), st.lists(NAMES))
def test_no_job_of_a_selection_needs_one_that_is_not_in_it(jobs, stages, needs, manual):
    selection = Selection(tuple(jobs), tuple(stages), needs, tuple(manual))
    found = selected(PIPELINE, selection)
    names = {job.name for job in found.jobs}
    assert all(need.job in names for job in found.jobs for need in job.needs or ())
    assert {job.stage for job in found.jobs} == set(found.stages)
