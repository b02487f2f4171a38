"""`shipline server`: what is done to a server from its own machine: backups, and the way in for its people."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shipline.server.accounts import Accounts
    from shipline.server.settings import Settings

STREAM = "-"
SCOPES = "api,read_repository,write_repository,create_runner,manage_runner"


@click.group()
def server() -> None:
    """Back a server up, restore it, and let its people in."""


def of_server(command: click.decorators.FC) -> click.decorators.FC:
    """Adds what names a server: the same as of `shipline serve`."""
    home = click.option("--home", type=click.Path(path_type=Path), help="Where the server keeps everything it has.")
    database = click.option(
        "--database", default="", envvar="SHIPLINE_DATABASE", help="A PostgreSQL URL; without it, SQLite."
    )
    return home(database(command))


OBJECTS = "SHIPLINE_OBJECTS"


@server.command()
@click.argument("file")
@click.option("--without-key", is_flag=True, help="Leave the key out, to keep it elsewhere.")
@click.option("--objects", default="", envvar=OBJECTS, help="The bucket, if not the one it used last.")
@click.option("--without-objects", is_flag=True, help="Leave out what the bucket holds.")
@of_server
def backup(
    file: str, without_key: bool, objects: str, without_objects: bool, home: Path | None, database: str
) -> None:
    """Write everything the server has to FILE (a .tar.gz; - is the standard output). It may go on serving."""
    from shipline.server.backup import back_up

    settings = _settings(home, database, objects)
    if file == STREAM:
        back_up(settings, sys.stdout.buffer, with_key=not without_key, with_objects=not without_objects)
        return
    path = Path(file)
    if path.exists():
        raise click.UsageError(f"{path} is there already. Name a new file.")
    part = path.with_name(path.name + ".part")
    try:
        with _private(part) as target:
            back_up(settings, target, with_key=not without_key, with_objects=not without_objects)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    click.echo(
        "Without the file `key` of the home, its secrets cannot be read."
        if without_key
        else "It can read all its secrets: keep it like them."
    )


@server.command()
@click.argument("file")
@click.option("--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="For one without a key.")
@click.option(
    "--objects", default="", envvar=OBJECTS, help="The bucket for what was in one; else it goes to the home."
)
@of_server
def restore(file: str, key: Path | None, objects: str, home: Path | None, database: str) -> None:
    """Make a server of the backup FILE (- is the standard input)."""
    from shipline.server.backup import restore as restored

    settings = _settings(home, database, objects)
    with contextlib.ExitStack() as stack:
        try:
            source: IO[bytes] = sys.stdin.buffer if file == STREAM else stack.enter_context(Path(file).open("rb"))
        except OSError as error:
            raise click.UsageError(f"{file}: {error.strerror}") from None
        header = restored(settings, source, key.read_bytes() if key else None)
    click.echo(f"Restored a backup of Shipline {header.version} to {settings.home}.")


@server.command()
@click.argument("user")
@click.option("--name", default="command line", show_default=True, help="What the token is called.")
@click.option("--scopes", default=SCOPES, show_default=True, metavar="A,B", help="What it may do.")
@click.option("--days", default=365, show_default=True, type=click.IntRange(min=1), help="How long it works.")
@of_server
def token(user: str, name: str, scopes: str, days: int, home: Path | None, database: str) -> None:
    """Make a personal access token for USER, and print it."""
    from datetime import UTC, datetime, timedelta

    from shipline.server.permissions import SCOPES as KNOWN

    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    if unknown := [scope for scope in wanted if scope not in KNOWN]:
        raise click.UsageError(f"--scopes {unknown[0]}: there are {', '.join(KNOWN)}.")
    expires = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
    with _accounts(home, database) as accounts:
        click.echo(accounts.create_token(_user(accounts, user).id, name, wanted, expires)[1])


@server.command()
@click.argument("user")
@click.option("--password", help="Better left to the prompt, or given on standard input.")
@of_server
def password(user: str, password: str | None, home: Path | None, database: str) -> None:
    """Give USER a new password."""
    from shipline.cli.typed import secret
    from shipline.server.accounts import hash_password

    with _accounts(home, database) as accounts:
        found = _user(accounts, user)
        accounts.set_password(found.id, hash_password(password or secret(f"New password of {user}", twice=True)))
    click.echo(f"{user} has a new password.")


@server.command("registry-config")
@click.option("--external-url", required=True, help="The server's address, as the registry's visitors reach it.")
@click.option("--listen", default=":5000", show_default=True, help="Where the registry listens.")
@click.option("--directory", default="/var/lib/registry", show_default=True, help="Where it keeps its layers.")
@click.option("--certificate", help="Where the registry finds registry.crt of the home; by default there.")
@of_server
def registry_config(
    external_url: str, listen: str, directory: str, certificate: str | None, home: Path | None, database: str
) -> None:
    """Print a config.yml for the CNCF registry that lets the server's people and jobs in."""
    from shipline.server.registry_key import RegistryKey, configuration

    with _accounts(home, database):
        key = RegistryKey(_settings(home, database).home)
    key.ensure()
    place = certificate or str(key.certificate_path)
    click.echo(configuration(external_url.rstrip("/"), place, directory, listen), nl=False)


def _settings(home: Path | None, database: str, objects: str = "") -> Settings:
    from shipline.cli.state import home as state
    from shipline.server.settings import Settings

    return Settings(home=(home or state() / "server").absolute(), database=database, objects=objects)


def _private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


@contextlib.contextmanager
def _accounts(home: Path | None, database: str) -> Iterator[Accounts]:
    from sqlalchemy.exc import DatabaseError

    from shipline.server.accounts import Accounts
    from shipline.server.database import Database
    from shipline.server.errors import ServerError

    settings = _settings(home, database)
    if not (settings.home / "key").exists():
        raise ServerError(f"{settings.home} is no server's home: `shipline serve` makes one. Name it with --home.")
    opened = Database(settings.database_url)
    try:
        yield Accounts(opened)
    except DatabaseError as error:
        raise ServerError(
            f"the database of {settings.home} cannot be used: {error.orig}. A server that starts makes it, or "
            "brings it to the form of this version: wait until it serves."
        ) from None
    finally:
        opened.close()


def _user(accounts: Accounts, name: str) -> Any:
    found = accounts.by_name(name)
    if found is None:
        raise click.UsageError(f"The server has no user '{name}'.")
    return found
