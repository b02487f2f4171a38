"""What jobs leave for later ones: restored before a job's script, saved after it, in a folder or a bucket.

`config` is how a runner is told where, `store` opens it, `keys` says what an object is called, `seal` whether an
archive is whole, `restoring` and `saving` are the job's two stages. Nothing here ever fails a job.
"""
