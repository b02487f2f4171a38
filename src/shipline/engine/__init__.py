"""The pipeline's state machine and what it remembers.

Which job may start, what a finished job changes, and the store that outlives the process. How a job is run
is the runner's business; it is reached only through `shipline.protocol`.
"""
