"""`shipline logs`: a job's log, from its beginning, and on as it grows."""

from __future__ import annotations

import click

from shipline.cli.options import complete_job, pipeline_option
from shipline.cli.running import tell_settled

AT_ONCE = 1 << 20
LOOK_AGAIN = 0.2
OVER = ("success", "failed", "canceled", "skipped")


@click.command()
@click.argument("job", shell_complete=complete_job)
@pipeline_option
@click.option("--follow", "-f", is_flag=True, help="Go on until the job has ended.")
@click.option("--raw", is_flag=True, help="As it is stored: with section markers, colours and all else.")
def logs(job: str, pipeline: int | None, follow: bool, raw: bool) -> None:
    """Print the log of JOB: its name, in the newest pipeline that has it, or its number.

    With --follow, also of a job that another terminal runs, or that has yet to start.
    """
    import os
    import time

    from shipline.cli.log_text import shown
    from shipline.cli.output import Output
    from shipline.cli.state import chosen_job, opened_pipelines

    output = Output()
    colour = output.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    with opened_pipelines() as pipelines:
        found = chosen_job(pipelines, job, pipeline)
        store, read = pipelines.store, 0
        while True:
            current = store.job(found.id)
            over = current is None or current.status in OVER or not follow
            while data := store.read_trace(found.id, read, AT_ONCE):
                full = len(data) == AT_ONCE
                whole = data
                if full or not over:  # lines as they end, or what is longer than any line
                    whole = data[: data.rfind(b"\n") + 1] or (data if full else b"")
                read += len(whole)
                output.write(whole if raw else shown(whole, colour))
                if not full:
                    break
            if over:
                break
            if not pipelines.store.alive(pipelines.live(found.pipeline_id).record.process):
                tell_settled(pipelines)
            time.sleep(LOOK_AGAIN)
        if read == 0:
            click.echo(f"Job '{found.name}' is {found.status}: it has no log yet.", err=True)
