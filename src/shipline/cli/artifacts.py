"""`shipline artifacts`: the files that jobs left here, listed and fetched."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shipline.engine.pipelines import Pipelines
    from shipline.engine.possessions import JobArtifacts
    from shipline.engine.records import JobRecord
    from shipline.engine.shelf import LocalShelf

BLOCK = 1 << 20


@click.group(invoke_without_command=True)
@click.option("--pipeline", type=int, metavar="NUMBER", help="Of this pipeline, not of the newest one.")
@click.option("--all", "every", is_flag=True, help="Of all pipelines of this repository.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.pass_context
def artifacts(ctx: click.Context, pipeline: int | None, every: bool, as_json: bool) -> int:
    """List what the jobs of the newest pipeline left: kind, size, and until when it is kept.

    `shipline artifacts get` fetches it.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    from shipline.cli.state import opened_pipelines

    with opened_pipelines() as pipelines:
        shelf = _shelf(pipelines)
        found = list(_everything(pipelines, shelf) if every else _of_pipeline(pipelines, shelf, pipeline))
        if as_json:
            import msgspec

            click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
            return 0
        _list(found)
    return 0


@artifacts.command("get")
@click.option("--job", metavar="NAME", help="The job, by its name or number; all jobs by default.")
@click.option("--pipeline", type=int, metavar="NUMBER", help="Of this pipeline, not of the newest one.")
@click.option(
    "--path", metavar="FILE", help="One file of the archive alone, to standard output unless -o is given."
)
@click.option("--report", metavar="KIND", help="A report (junit, dotenv, ...) as the job wrote it.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The folder, or the file, to write to.")
def get(job: str | None, pipeline: int | None, path: str | None, report: str | None, output: Path | None) -> int:
    """Fetch the files that jobs left: into the current folder, or where -o says. What is there is replaced."""
    from shipline.cli.state import opened_pipelines
    from shipline.engine.errors import EngineError

    if (path or report) and not job:
        raise click.UsageError("--path and --report are about one job: name it with --job.")
    with opened_pipelines() as pipelines:
        shelf = _shelf(pipelines)
        chosen = _chosen(pipelines, shelf, job, pipeline)
        if report:
            _report(shelf, chosen[0], report, output)
            return 0
        archives = [left for left in chosen if shelf.archives([int(left.number)])]
        if not archives:
            raise EngineError(_nothing(chosen, job))
        if path:
            _file(shelf, archives[0], path, output)
            return 0
        for left in archives:
            _unpack(shelf, left, output or Path())
    return 0


def _shelf(pipelines: Pipelines) -> LocalShelf:
    from shipline.cli.state import home
    from shipline.engine.shelf import LocalShelf

    return LocalShelf(pipelines.store, home())


def _of_pipeline(pipelines: Pipelines, shelf: LocalShelf, number: int | None) -> Iterator[JobArtifacts]:
    from shipline.cli.hierarchy import together
    from shipline.cli.state import chosen_pipeline

    for live in together(pipelines.live(chosen_pipeline(pipelines, number).id), pipelines.store):
        for job in live.jobs.values():
            if left := shelf.of(job.id):
                yield left


def _everything(pipelines: Pipelines, shelf: LocalShelf) -> list[JobArtifacts]:
    from shipline.cli.state import opened_repository

    with opened_repository() as repository:
        return shelf.all(pipelines.store.project(str(repository.path)).id)


def _list(found: list[JobArtifacts]) -> None:
    from shipline.cli import texts
    from shipline.cli.widths import fitted, plain, width

    if not any(left.files or left.expired for left in found):
        click.echo("The jobs left nothing: `artifacts:` says what is kept.", err=True)
        return
    names = max(width(plain(left.job)) for left in found)
    for left in found:
        if left.expired:
            click.echo(f"job {left.number}  {fitted(plain(left.job), names)}  expired")
        for file in left.files:
            line = f"job {left.number}  {fitted(plain(left.job), names)}  {file.file_type.ljust(11)}"
            until = "for ever" if left.expire_at is None else f"until {_date(left.expire_at)}"
            line += f"  {texts.size(file.size).rjust(8)}  {until}  {plain(file.filename)}"
            if left.expose_as and file.file_type == "archive":
                line += f"  ({plain(left.expose_as)})"
            click.echo(line)


def _chosen(pipelines: Pipelines, shelf: LocalShelf, job: str | None, number: int | None) -> list[JobArtifacts]:
    if job is None:
        return list(_of_pipeline(pipelines, shelf, number))
    from shipline.cli.state import chosen_job
    from shipline.engine.errors import EngineError

    found: JobRecord = chosen_job(pipelines, job, number)
    left = shelf.of(found.id)
    if left is None:
        raise EngineError(f"Job '{found.name}' (job {found.id}, {found.status}) left nothing.")
    return [left]


def _nothing(chosen: list[JobArtifacts], job: str | None) -> str:
    if any(left.expired for left in chosen):
        return "What these jobs left has expired. Run the pipeline again, or give the jobs a longer `expire_in`."
    if job:
        return f"Job '{job}' left no archive, but: {', '.join(f.file_type for left in chosen for f in left.files)}."
    return "The jobs left no archive: `artifacts:paths` says what is kept."


def _report(shelf: LocalShelf, left: JobArtifacts, kind: str, output: Path | None) -> None:
    from shipline.engine.errors import EngineError
    from shipline.engine.reports import UnreadableReport, contents

    file = next((file for file in left.files if file.file_type == kind), None)
    if file is None:
        kinds = ", ".join(file.file_type for file in left.files) or "nothing"
        raise EngineError(f"Job '{left.job}' left no {kind} report, but: {kinds}.")
    try:
        content = b"".join(contents(shelf.folder(int(left.number)) / kind, file.file_format))
    except UnreadableReport as error:
        raise EngineError(f"The {kind} report of job '{left.job}': {error}.") from None
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        (output / file.filename.removesuffix(".gz") if output.is_dir() else output).write_bytes(content)


def _file(shelf: LocalShelf, left: JobArtifacts, path: str, output: Path | None) -> None:
    import zipfile

    from shipline.engine.errors import EngineError

    with zipfile.ZipFile(shelf.archive_path(int(left.number))) as archive:
        name = path.removeprefix("./")
        try:
            source: IO[bytes] = archive.open(name)
        except KeyError:
            from difflib import get_close_matches

            near = get_close_matches(name, [each for each in archive.namelist() if not each.endswith("/")], n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise EngineError(f"There is no {name} in the artifacts of job '{left.job}'.{hint}") from None
        with source:
            if output is None:
                shutil.copyfileobj(source, sys.stdout.buffer, BLOCK)
                return
            target = output / Path(name).name if output.is_dir() else output
            with target.open("wb") as file:
                shutil.copyfileobj(source, file, BLOCK)


def _unpack(shelf: LocalShelf, left: JobArtifacts, folder: Path) -> None:
    """Unpacks an archive as a runner does: nothing of it comes to lie outside of the folder."""
    import asyncio

    from shipline.engine.errors import EngineError
    from shipline.runner.files.extraction import unpack
    from shipline.runner.files.members import FilesError
    from shipline.runner.local.files import ShellFiles

    folder.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(unpack(ShellFiles(str(folder.absolute())), shelf.archive_path(int(left.number))))
    except FilesError as error:
        raise EngineError(f"The artifacts of job '{left.job}': {error}.") from None
    click.echo(f"{left.job} (job {left.number}): unpacked into {folder}", err=True)


def _date(seconds: float) -> str:
    from datetime import datetime

    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")
