"""The server's database keeps what every store of the engine promises, and queues what is pending."""

import msgspec
import pytest
import sqlalchemy as sa
from tests.engine import test_store as promises
from tests.engine.test_store import *  # noqa: F403
from tests.server.postgresql import new_database

from shipline.engine.records import PipelineVariable, ProjectVariable
from shipline.server import tables as t
from shipline.server.database import Database
from shipline.server.store import DatabaseStore
from shipline.server.traces import Traces
from shipline.server.vault import Vault


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    url = f"sqlite:///{tmp_path / 'server.db'}"
    if request.param == "postgresql":
        url = new_database(request.getfixturevalue("postgresql"))
    database = Database(url)
    database.migrate()
    yield DatabaseStore(database, Vault.open(tmp_path / "key"), Traces(tmp_path / "traces"))
    database.close()


def test_the_migrations_lead_to_the_tables(store):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(store.database.connection)
    assert compare_metadata(context, t.metadata) == []


def test_a_pending_job_is_in_the_queue_until_it_is_something_else(store):
    pipeline, jobs = promises.a_pipeline(store)
    store.save(pipeline, [msgspec.structs.replace(jobs[0], status="pending")])
    assert [row.job_id for row in store.database.all(sa.select(t.queue))] == [jobs[0].id]
    store.save(pipeline, [msgspec.structs.replace(jobs[0], status="running")])
    assert store.database.all(sa.select(t.queue)) == []


def test_values_of_variables_are_encrypted(store, tmp_path):
    project = store.project("/project").id
    store.set_variable(project, ProjectVariable("TOKEN", "a-secret-value"))
    assert store.variables(project)[0].value == "a-secret-value"
    files = [path.read_bytes() for path in tmp_path.glob("server.db*")]
    assert not any(b"a-secret-value" in text for text in files)
    kept = store.database.all(sa.select(t.variables.c.value, t.variables.c.record))
    assert not any(b"a-secret-value" in bytes(column) for row in kept for column in row)


def test_what_is_given_to_a_pipeline_is_encrypted_too(store, tmp_path):
    pipeline, jobs = promises.a_pipeline(store)
    given = [PipelineVariable("PASSWORD", "a-secret-value"), PipelineVariable("ODD", "sealed:not", raw=True)]
    pipeline = msgspec.structs.replace(pipeline, variables=given)
    job = msgspec.structs.replace(jobs[0], variables=given, dotenv=given)
    store.save(pipeline, [job])
    assert store.pipeline(pipeline.id).variables == given
    assert (store.job(job.id).variables, store.job(job.id).dotenv) == (given, given)
    kept = [row[0] for t_ in (t.pipelines, t.jobs) for row in store.database.all(sa.select(t_.c.record))]
    assert not any(b"a-secret-value" in bytes(record) for record in kept)


def test_what_an_older_shipline_left_open_is_encrypted_once(store):
    pipeline, _ = promises.a_pipeline(store)
    given = [PipelineVariable("PASSWORD", "a-secret-value")]
    open_text = msgspec.json.encode(msgspec.structs.replace(pipeline, variables=given))
    store.database.execute(sa.update(t.pipelines).values(record=open_text))
    store.sealing.seal_what_is_open(store.database)
    kept = bytes(store.database.one(sa.select(t.pipelines.c.record))[0])
    assert b"a-secret-value" not in kept
    assert store.pipeline(pipeline.id).variables == given


def test_another_process_sees_what_has_changed(store):
    other = DatabaseStore(Database(str(store.database.url)), store.vault, store.traces)
    other.database.migrate()
    before = store.version()
    promises.a_pipeline(other)
    assert store.version() != before
    assert store.pipelines(1)
    other.close()
