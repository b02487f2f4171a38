"""Takes a job payload, runs it, streams the log and reports the result.

Knows the payload and an executor (`kubernetes`, `shell`), never the pipeline that the job came from.
"""
