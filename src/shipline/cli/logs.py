"""`shipline logs`: a job's log, from its beginning, and on as it grows."""

from __future__ import annotations

import click

from shipline.cli.options import complete_job, pipeline_option


@click.command()
@click.argument("job", shell_complete=complete_job)
@pipeline_option
@click.option("--follow", "-f", is_flag=True, help="Go on until the job has ended.")
@click.option("--raw", is_flag=True, help="As it is stored: with section markers and colours.")
def logs(job: str, pipeline: int | None, follow: bool, raw: bool) -> None:
    """Print the log of JOB: its name, in the newest pipeline that has it, or its number."""
    import sys
    import time

    from shipline.cli.state import chosen_job, opened_pipelines
    from shipline.cli.summary import readable

    with opened_pipelines() as pipelines:
        found = chosen_job(pipelines, job, pipeline)
        store, read = pipelines.store, 0
        while True:
            current = store.job(found.id)
            over = current is None or current.finished_at is not None or not follow
            data = store.read_trace(found.id, read)
            if not over:
                data = data[: data.rfind(b"\n") + 1]
            read += len(data)
            sys.stdout.buffer.write(data if raw else readable(data).encode())
            sys.stdout.buffer.flush()
            if over:
                break
            time.sleep(0.2)
        if read == 0:
            click.echo(f"Job '{found.name}' is {found.status}: it has no log yet.", err=True)
