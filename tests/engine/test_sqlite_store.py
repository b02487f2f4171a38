"""What only the store on disk promises: privacy, several processes, sudden death."""

import os
import signal
import sqlite3
import subprocess
import sys

import msgspec
import pytest
from tests.engine.test_store import a_pipeline

from shipline.engine.errors import EngineError
from shipline.engine.possessions import Environment
from shipline.engine.records import ProjectVariable
from shipline.engine.sqlite_store import SCHEMA, SqliteStore
from shipline.language.pipeline import Pipeline

LIVES_WITH_A_PIPELINE = """
import sys, time
from pathlib import Path
from shipline.engine.sqlite_store import SqliteStore
from tests.engine.test_store import a_pipeline
store = SqliteStore(Path(sys.argv[1]))
a_pipeline(store)
print(store.process, flush=True)
time.sleep(60)
"""


def test_files_are_private(tmp_path):
    store = SqliteStore(tmp_path / "state")
    store.set_variable(1, ProjectVariable("TOKEN", "secret"))
    store.write_trace(1, 0, b"log")
    a_pipeline(store)
    for path in [tmp_path / "state", *(tmp_path / "state").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
    store.close()


def test_what_is_stored_is_there_for_the_next_process(tmp_path):
    first = SqliteStore(tmp_path)
    pipeline, jobs = a_pipeline(first)
    first.close()
    second = SqliteStore(tmp_path)
    assert second.jobs(pipeline.id) == jobs
    assert not second.alive(first.process)
    second.close()


def test_a_killed_process_is_known_to_be_dead(tmp_path):
    command = [sys.executable, "-c", LIVES_WITH_A_PIPELINE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        name = other.stdout.readline().strip()
        store = SqliteStore(tmp_path)
        assert store.alive(name)
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert not store.alive(name)
        store.close()


def test_the_version_changes_with_another_process_s_writes_only(tmp_path):
    mine, other = SqliteStore(tmp_path), SqliteStore(tmp_path)
    before = mine.version()
    mine.project("/mine")
    assert mine.version() == before
    other.project("/other")
    assert mine.version() != before
    mine.close()
    other.close()


def test_a_newer_database_is_refused_by_name(tmp_path):
    SqliteStore(tmp_path).close()
    with sqlite3.connect(tmp_path / "shipline.db") as db:
        db.execute("pragma user_version = 99")
    with pytest.raises(EngineError, match=r"shipline\.db was written by a newer Shipline"):
        SqliteStore(tmp_path)


def test_a_database_of_the_first_form_still_opens(tmp_path):
    with sqlite3.connect(tmp_path / "shipline.db") as db:
        db.executescript(SCHEMA + "insert into projects (path) values ('/old'); pragma user_version = 1;")
        pipeline = msgspec.json.encode(Pipeline(stages=["test"], jobs=[]))
        db.execute("insert into pipelines values (7, 1, 1, x'', ?)", (pipeline,))
    (tmp_path / "jobs" / "3").mkdir(parents=True)
    (tmp_path / "jobs" / "3" / "trace").write_text("what job 3 said")
    store = SqliteStore(tmp_path)
    assert store.compiled(7).stages == ["test"]
    assert store.read_trace(3) == b"what job 3 said"
    assert store.project("/old").id == 1
    store.possess(1, Environment("production"))
    assert store.possessions(1, Environment) == [Environment("production")]
    store.close()
