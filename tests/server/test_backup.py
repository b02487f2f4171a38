"""A server is backed up while it serves, and restored on either database."""

from __future__ import annotations

import gzip
import io
import subprocess

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.postgresql import new_database
from tests.server.test_runner import SHIPLINE

from shipline.engine.id_tokens import Issuer
from shipline.engine.records import ProjectVariable
from shipline.server import tables as t
from shipline.server.backup import _files, back_up, restore
from shipline.server.database import Database
from shipline.server.errors import ServerError
from shipline.server.settings import Settings
from shipline.server.store import DatabaseStore
from shipline.server.traces import Traces
from shipline.server.vault import Vault


def opened(settings: Settings) -> DatabaseStore:
    database = Database(settings.database_url)
    database.migrate()
    return DatabaseStore(database, Vault.open(settings.home / "key"), Traces(settings.home / "traces"))


@pytest.fixture
def backup(server, project, repository) -> bytes:
    """Of the server of these tests, with a pushed project, a variable and a log."""
    repository.push()
    job = server.runner(kind="project_type", projects=[project.id], tags=["kubernetes"]).job()
    server.inside(lambda i: i.store.write_trace(job["id"], 0, b"what the job said\n"))
    server.inside(lambda i: i.store.set_variable(project.id, ProjectVariable("TOKEN", "a-secret-value")))
    file = io.BytesIO()
    back_up(server.settings, file)
    return file.getvalue()


def test_who_checks_id_tokens_need_not_be_told_of_another_key(server, project, tmp_path):
    before = server.inside(lambda i: i.issuer.public)
    for with_key in (True, False):
        file, there = io.BytesIO(), Settings(home=tmp_path / f"with-{with_key}")
        back_up(server.settings, file, with_key=with_key)
        restore(there, io.BytesIO(file.getvalue()), key=None if with_key else b"k" * 32)
        assert (Issuer(there.home, "https://example.com").public == before) == with_key


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_all_is_there_again(server, project, backup, kind, tmp_path, request):
    url = new_database(request.getfixturevalue("postgresql")) if kind == "postgresql" else ""
    there = Settings(home=tmp_path / "there", database=url)
    restore(there, io.BytesIO(backup))
    store = opened(there)
    assert [v.value for v in store.variables(project.id)] == ["a-secret-value"]
    pipeline = store.pipelines(project.id)[0]
    assert pipeline == server.inside(lambda i: i.store.pipelines(project.id)[0])
    job = store.jobs(pipeline.id)[0]
    assert store.read_trace(job.id) == b"what the job said\n"
    bare = there.home / "repositories" / f"{project.id}.git"
    shown = subprocess.run(["git", "-C", bare, "rev-parse", "main"], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == pipeline.commit.sha
    assert subprocess.run(["git", "-C", bare, "fsck", "--no-dangling"]).returncode == 0
    number = store.database.insert(
        t.users, username="new", name="", email="", admin=False, state="active", created_at=0
    )
    assert number > 1, "numbers go on where they were"
    store.close()


def test_nothing_is_overwritten_and_nothing_half_done_stays(server, backup, tmp_path):
    with pytest.raises(ServerError, match="not empty"):
        restore(server.settings, io.BytesIO(backup))
    for broken in (b"", b"no tar", backup[: len(backup) // 2]):
        with pytest.raises(ServerError):
            restore(Settings(home=tmp_path / "there"), io.BytesIO(broken))
        assert list(tmp_path.glob("*there*")) == [] and list(tmp_path.glob(".restoring*")) == []


def test_a_backup_without_the_key_needs_it_back(server, project, backup, tmp_path):
    file = io.BytesIO()
    back_up(server.settings, file, with_key=False)
    key = (server.settings.home / "key").read_bytes()
    assert key not in gzip.decompress(file.getvalue())
    with pytest.raises(ServerError, match="has no key"):
        restore(Settings(home=tmp_path / "one"), io.BytesIO(file.getvalue()))
    restore(Settings(home=tmp_path / "two"), io.BytesIO(file.getvalue()), key)
    assert [v.value for v in opened(Settings(home=tmp_path / "two")).variables(project.id)] == ["a-secret-value"]


def test_a_backup_of_an_older_form_is_brought_up_to_date(tmp_path):
    old = Settings(home=tmp_path / "old")
    old.home.mkdir()
    Vault.open(old.home / "key")
    database = Database(old.database_url)
    with database.transaction():
        database.migrate("0001")
    database.execute(
        sa.text(
            "insert into users (username, name, email, admin, state, created_at) values ('a','a','a',true,'x',1)"
        )
    )
    file = io.BytesIO()
    back_up(old, file)
    restore(Settings(home=tmp_path / "new"), io.BytesIO(file.getvalue()))
    store = opened(Settings(home=tmp_path / "new"))
    assert [row.username for row in store.database.all(sa.select(t.users))] == ["a"]


def test_refs_come_before_objects(server, project, backup):
    names = [name for _, name in _files(server.settings.home) if name.startswith(f"repositories/{project.id}.git/")]
    first_object = next(n for n, name in enumerate(names) if "/objects" in name)
    assert all("/refs/" not in name for name in names[first_object:])


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_what_is_no_backup_is_refused(tmp_path_factory, data):
    with pytest.raises(ServerError):
        restore(Settings(home=tmp_path_factory.mktemp("x") / "home"), io.BytesIO(data))


def test_the_commands(server, tmp_path):
    home = ["--home", str(server.settings.home)]

    def shipline(*words, text="") -> subprocess.CompletedProcess[str]:
        return subprocess.run([*SHIPLINE, "server", *words], input=text, capture_output=True, text=True, timeout=60)

    file = tmp_path / "backup.tar.gz"
    done = shipline("backup", str(file), *home)
    assert done.returncode == 0 and "keep it like them" in done.stdout, done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert shipline("backup", str(file), *home).returncode == 2
    assert shipline("restore", str(file), "--home", str(tmp_path / "new")).returncode == 0
    assert (tmp_path / "new" / "repositories").is_dir()
    made = shipline("token", "root", "--scopes", "api", *home)
    assert server.api("GET", "/user", token=made.stdout.strip()).json()["username"] == "root"
    assert shipline("password", "root", *home, text="another horse").returncode == 0
    assert "nothing came on standard input" in shipline("password", "root", *home).stderr
    assert "has no user 'nobody'" in shipline("token", "nobody", *home).stderr
    unfinished = tmp_path / "unfinished"  # as the first start of a server leaves it for a moment
    unfinished.mkdir()
    (unfinished / "key").write_bytes(b"")
    early = shipline("token", "root", "--home", str(unfinished))
    assert early.returncode == 3 and "wait until it serves" in early.stderr
