"""What both stores promise."""

import msgspec
import pytest

from shipline.engine.numbering import reserved, upcoming
from shipline.engine.possessions import Environment, ProjectSettings, ResourceGroup
from shipline.engine.records import Commit, Deployment, JobRecord, PipelineRecord, ProjectVariable
from shipline.language.pipeline import Job, Pipeline

COMMIT = Commit(
    "a" * 40, "0" * 40, "main", False, "A commit", "Ada <ada@example.com>", "2026-01-01T00:00:00Z", "main"
)
COMPILED = Pipeline(stages=["test"], jobs=[Job("one", "test", 0, script=["true"]), Job("two", "test", 0)])


def a_pipeline(store, path="/project"):
    project = store.project(path)
    record = PipelineRecord(0, 0, project.id, "push", COMMIT, created_at=1.0)
    jobs = [JobRecord(0, 0, job.name, job.stage, job.when, created_at=1.0) for job in COMPILED.jobs]
    return store.add_pipeline(record, COMPILED, jobs)


def test_a_project_is_its_path(store):
    assert store.project("/a") == store.project("/a")
    assert store.project("/a").id != store.project("/b").id
    assert store.project_by_id(store.project("/b").id).path == "/b"


def test_a_pipeline_comes_back_as_it_was_stored(store):
    pipeline, jobs = a_pipeline(store)
    assert store.pipeline(pipeline.id) == pipeline
    assert store.jobs(pipeline.id) == jobs
    assert store.compiled(pipeline.id) == COMPILED
    assert store.job(jobs[1].id) == jobs[1]
    assert store.pipeline(99) is None and store.job(99) is None


def test_ids_grow_over_projects_and_iids_within_one(store):
    first, other, second = a_pipeline(store)[0], a_pipeline(store, "/other")[0], a_pipeline(store)[0]
    assert first.id < other.id < second.id
    assert (first.iid, other.iid, second.iid) == (1, 1, 2)
    assert [p.id for p in store.pipelines(first.project_id)] == [second.id, first.id]


def test_a_number_that_is_taken_is_nobody_elses(store):
    project = store.project("/project").id
    with reserved(store, project) as mine:
        other, _ = a_pipeline(store)
        record = PipelineRecord(0, mine, project, "push", COMMIT, created_at=1.0)
        pipeline, _ = store.add_pipeline(record, COMPILED, [])
    assert (mine, pipeline.iid, other.iid) == (1, 1, 2)
    assert upcoming(store, project) == 3


def test_a_number_without_a_pipeline_is_given_back(store):
    project = store.project("/project").id
    with pytest.raises(ZeroDivisionError), reserved(store, project):
        raise ZeroDivisionError
    assert upcoming(store, project) == 1
    with pytest.raises(ZeroDivisionError), reserved(store, project):
        a_pipeline(store)
        raise ZeroDivisionError
    assert upcoming(store, project) == 3, "a later one was taken: this one stays unused"


def test_a_new_try_replaces_the_old_one(store):
    pipeline, jobs = a_pipeline(store)
    again = store.add_job(msgspec.structs.replace(jobs[0], attempt=2))
    assert [job.id for job in store.jobs(pipeline.id)] == [jobs[1].id, again.id]
    assert [(j.name, j.attempt, j.latest) for j in store.jobs(pipeline.id, all_tries=True)] == [
        ("one", 1, False),
        ("two", 1, True),
        ("one", 2, True),
    ]


def test_a_transaction_that_fails_changes_nothing(store):
    pipeline, jobs = a_pipeline(store)
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.save(pipeline, [msgspec.structs.replace(jobs[0], status="running")])
        raise ZeroDivisionError
    assert store.jobs(pipeline.id) == jobs


def test_pipelines_with_active_jobs_are_found(store):
    pipeline, jobs = a_pipeline(store)
    assert store.unfinished() == []
    store.save(pipeline, [msgspec.structs.replace(jobs[0], status="running")])
    assert [p.id for p in store.unfinished()] == [pipeline.id]


def test_who_holds_the_resource_of_a_group(store):
    project = store.project("/project")
    job = JobRecord(0, 0, "deploy", "test", "on_success", 1.0, resource_group="production", status="running")
    record = PipelineRecord(0, 0, project.id, "push", COMMIT, created_at=1.0)
    pipeline, (job,) = store.add_pipeline(record, COMPILED, [job])
    assert [j.id for j in store.resource_holders(project.id, "production")] == [job.id]
    assert store.resource_holders(project.id, "staging") == []
    assert store.resource_holders(store.project("/other").id, "production") == []
    store.save(pipeline, [msgspec.structs.replace(job, status="success")])
    assert store.resource_holders(project.id, "production") == []


def test_variables_by_key_and_scope(store):
    project = store.project("/project").id
    store.set_variable(project, ProjectVariable("TOKEN", "one"))
    store.set_variable(project, ProjectVariable("TOKEN", "two", masked=True))
    store.set_variable(project, ProjectVariable("TOKEN", "three", environment_scope="production"))
    store.set_variable(store.project("/other").id, ProjectVariable("TOKEN", "elsewhere"))
    assert [(v.value, v.environment_scope) for v in store.variables(project)] == [
        ("two", "*"),
        ("three", "production"),
    ]
    assert store.delete_variable(project, "TOKEN", "production") == 1
    assert store.delete_variable(project, "TOKEN") == 1
    assert store.delete_variable(project, "TOKEN") == 0


def test_deployments_newest_first(store):
    project = store.project("/project").id
    for job in (1, 2):
        store.save_deployment(project, Deployment("production", job, 1, "a" * 40, "main", "running", 1.0))
    store.save_deployment(project, Deployment("production", 1, 1, "a" * 40, "main", "success", 1.0))
    assert [(d.job_id, d.status) for d in store.deployments(project, "production")] == [
        (2, "running"),
        (1, "success"),
    ]
    assert store.deployments(project, "staging") == []


def test_a_trace_grows_at_its_end_and_takes_no_gap(store):
    assert store.read_trace(7) == b""
    assert store.write_trace(7, 0, b"hello") == 5
    assert store.write_trace(7, 9, b"lost") == 5
    assert store.write_trace(7, 3, b"lo, world") == 12
    assert store.read_trace(7) == b"hello, world"
    assert store.read_trace(7, 7, 3) == b"wor"


def test_a_process_is_alive_or_not(store):
    a_pipeline(store)
    assert store.alive(store.process)
    assert not store.alive("somebody else")
    assert not store.alive(None)


def test_what_a_project_has_is_kept_by_kind_and_name(store):
    project, other = store.project("/a").id, store.project("/b").id
    for record in (Environment("review/b"), Environment("review/a"), ResourceGroup("review/a")):
        store.possess(project, record)
    store.possess(project, Environment("review/b", tier="development", state="stopped", updated_at=2.0))
    assert [each.name for each in store.possessions(project, Environment)] == ["review/a", "review/b"]
    assert store.possession(project, Environment, "review/b").state == "stopped"
    assert store.possession(project, ResourceGroup, "review/a") == ResourceGroup("review/a")
    assert store.possessions(other, Environment) == [] and store.possession(project, Environment, "c") is None
    store.dispossess(project, Environment, "review/b")
    assert [each.name for each in store.possessions(project, Environment)] == ["review/a"]


def test_environments_are_due_when_their_time_has_come_and_they_are_there_to_be_stopped(store):
    project = store.project("/a").id
    store.possess(project, Environment("early", auto_stop_at=10.0))
    store.possess(project, Environment("late", auto_stop_at=30.0))
    store.possess(project, Environment("never"))
    store.possess(project, Environment("gone", auto_stop_at=10.0, state="stopped"))
    assert [(number, each.name) for number, each in store.due_environments(20.0)] == [(project, "early")]


def test_settings_are_the_usual_ones_until_somebody_changes_them(store):
    project = store.project("/a").id
    assert store.settings(project) == ProjectSettings()
    store.set_settings(project, ProjectSettings(forward_deployment=False))
    assert store.settings(project) == ProjectSettings(forward_deployment=False)
