"""`shipline environments`: what jobs with `environment:` have deployed."""

import re

REVIEW = """
review:
  script: [echo up]
  environment: {name: review/$CI_COMMIT_REF_SLUG, url: "https://$CI_COMMIT_REF_SLUG.example.com", on_stop: stop}
stop:
  script: [echo down]
  when: manual
  environment: {name: review/$CI_COMMIT_REF_SLUG, action: stop}
"""


def test_deployed_and_stopped(repository):
    sha = repository.commit(ci=REVIEW)
    assert "Nothing has been deployed" in repository.shipline("environments")
    repository.shipline("run")
    line = rf"^review/main  \S+ \S+  main {sha[:8]}  \(job 1\)  https://main\.example\.com$"
    assert re.search(line, repository.shipline("environments"), re.M)
    repository.shipline("play", "stop")
    assert re.search(r"^review/main  \S+ \S+  stopped  \(job 2\)$", repository.shipline("environments"), re.M)


def test_coverage_is_in_the_summary(repository):
    repository.commit(ci="test:\n  script: ['echo Lines: 81.5%']\n  coverage: '/Lines: \\d+\\.\\d+%/'\n")
    assert re.search(r"test +success .* coverage 81\.5 %", repository.shipline("run"))
