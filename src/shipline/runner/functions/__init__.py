"""`run:`: a job as a list of steps, each a script or a function (GitLab's step runner, without its program).

Expressions are worked out here, by `shipline.runner.moa`; in the job's place run only scripts and a function's
command, each as one stage. What a function gives back it writes to a file, which is read through the executor's
files. So a job needs nothing in its image, and shell and pods work alike.
"""
