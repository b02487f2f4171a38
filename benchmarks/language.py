"""A large configuration: 1,000 jobs in 10 stages (180 KB) listed, and how the time grows with their number."""

from __future__ import annotations

import shutil
import sys

from measure import SHIPLINE, Case, command, compare, repository

STAGES = 10
HEAD = """\
stages: [{stages}]
variables: {{ROOT: registry.example.com, TAG: $CI_COMMIT_SHORT_SHA}}
.base:
  image: alpine:3
  tags: [docker]
  before_script: [echo setup]
  variables: {{LEVEL: base, IMAGE: $ROOT/app:$TAG}}
"""
JOB = """\
job{number}:
  extends: .base
  stage: s{stage}
  rules:
    - if: $CI_PIPELINE_SOURCE == "schedule"
      when: never
    - if: $CI_COMMIT_BRANCH == "main"
  variables: {{NUMBER: '{number}'}}
{needs}  script:
    - make job{number}
    - ./upload $IMAGE job{number}.tar.gz
"""


def configuration(jobs: int) -> str:
    """A file of that many jobs, each with extends, rules, variables and, after the first stage, a need."""
    parts = [HEAD.format(stages=", ".join(f"s{stage}" for stage in range(STAGES)))]
    for number in range(jobs):
        stage = number * STAGES // jobs
        needs = f"  needs: [job{number - jobs // STAGES}]\n" if stage else ""
        parts.append(JOB.format(number=number, stage=stage, needs=needs))
    return "".join(parts)


if __name__ == "__main__":
    sizes = (4000, 2000, 1000, 100)
    places = {size: repository(configuration(size)) for size in sizes}
    compare(
        "A large configuration",
        [
            *(Case(f"shipline list, {size} jobs", command(SHIPLINE, "list", cwd=places[size])) for size in sizes),
            Case("shipline lint, 1000 jobs", command(SHIPLINE, "lint", cwd=places[1000])),
            Case("python -c pass", command(sys.executable, "-c", "pass")),
        ],
        runs=7,
    )
    for place in places.values():
        shutil.rmtree(place)
