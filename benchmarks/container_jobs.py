"""One and twenty one-line container jobs on the embedded cluster, whole process, against bare containers."""

import embedded
from measure import SHIPLINE, Case, command, compare, repository


def pipeline(jobs: int) -> str:
    every = f"default:\n  image:\n    name: {embedded.IMAGE}\n    pull_policy: if-not-present\n"
    return every + "".join(f"job{n}:\n  script: echo hello\n" for n in range(jobs))


def containers(count: int) -> None:
    for _ in range(count):
        command("docker", "run", "--rm", embedded.IMAGE, "sh", "-c", "echo hello")()


if __name__ == "__main__":
    with embedded.state():
        embedded.start()
        for jobs, runs in ((1, 5), (20, 2)):
            where = repository(pipeline(jobs))
            run = command(SHIPLINE, "run", "--cluster", embedded.NAME, cwd=where)
            bare = Case(f"docker run --rm, {jobs} in a row", lambda jobs=jobs: containers(jobs))
            compare(f"Container jobs: {jobs}", [Case("shipline run", run), bare], runs=runs)
