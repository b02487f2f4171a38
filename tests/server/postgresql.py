"""A PostgreSQL of the tests' own: Debian's programs, a folder and a port that nobody else has."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ADMINISTRATOR = "postgres"
"""The user that PostgreSQL runs as where the tests are root's: it refuses to be root."""


@contextmanager
def postgresql(port: int) -> Iterator[str]:
    """Gives the URL of a server, up to the name of the database."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.fail("PostgreSQL is not there: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="shipline-pg-"))
    as_user: list[str] = []
    if os.getuid() == 0:
        user = pwd.getpwnam(ADMINISTRATOR)
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = ["runuser", "-u", ADMINISTRATOR, "--"]

    def run(program: str, *words: str) -> None:
        log = subprocess.run(
            [*as_user, str(programs[-1] / program), *words], cwd=folder, capture_output=True, text=True
        )
        assert log.returncode == 0, log.stdout + log.stderr

    data, options = str(folder / "data"), f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("initdb", "-D", data, "-A", "trust", "-U", "shipline", "--no-sync")
    run(
        "pg_ctl",
        "-D",
        data,
        "-o",
        f"{options} -c unix_socket_directories={folder}",
        "-l",
        data + "/log",
        "-w",
        "start",
    )
    try:
        yield f"postgresql+psycopg://shipline@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


def new_database(server: str) -> str:
    """The URL of an empty database."""
    import psycopg

    name = f"t{secrets.token_hex(6)}"
    address = server.replace("+psycopg", "") + "/postgres"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    return f"{server}/{name}"
