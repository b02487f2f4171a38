"""`release:` and `shipline releases`: made by the engine once the job has succeeded, whatever its image holds."""

import re

RELEASE = """
release:
  script: [echo notes]
  release:
    tag_name: v$VERSION
    name: The $VERSION
    description: %s
    milestones: [m1]
    released_at: '2026-03-15T08:00:00Z'
    assets:
      links:
        - {name: Image, url: "https://example.com/$VERSION", link_type: image, filepath: /bin/app}
"""


def test_a_release_is_made_with_the_job_s_variables(repository):
    sha = repository.commit(ci=RELEASE % "'Notes of $VERSION'")
    shown = repository.shipline("run", "-v", "VERSION=1.0")
    assert f"Release v1.0 is made, of commit {sha[:8]}." in shown
    assert re.search(
        rf"^v1\.0  2026-03-15 \S+  {sha[:8]}  \(job 1\)  The 1\.0$", repository.shipline("releases"), re.M
    )
    notes = repository.shipline("releases", "show", "v1.0")
    assert (
        "Notes of 1.0" in notes and "Image: https://example.com/1.0 (image)" in notes and "Milestones: m1" in notes
    )
    assert repository.git("tag") == ""


def test_a_release_that_is_there_already_fails_the_job(repository):
    repository.commit(ci=RELEASE % "Notes")
    repository.shipline("run", "-v", "VERSION=1.0")
    shown = repository.shipline("run", "-v", "VERSION=1.0", code=1)
    assert "ERROR: Job failed: Release already exists: v1.0" in shown
    repository.shipline("releases", "delete", "v1.0")
    repository.shipline("run", "-v", "VERSION=1.0")
    assert "There is no release 'v2'" in repository.shipline("releases", "delete", "v2", code=2)


def test_a_job_that_fails_releases_nothing(repository):
    repository.commit(ci=(RELEASE % "Notes").replace("[echo notes]", "['false']"))
    repository.shipline("run", "-v", "VERSION=1.0", code=1)
    assert "Nothing has been released" in repository.shipline("releases")


def test_a_description_may_be_a_file_of_the_commit_or_of_a_job(repository):
    repository.commit(ci=RELEASE % "CHANGELOG.md", **{"CHANGELOG.md": "From the commit\n"})
    repository.shipline("run", "-v", "VERSION=1.0")
    assert "From the commit" in repository.shipline("releases", "show", "v1.0")
    made = "notes: {stage: build, script: [echo Made by a job > notes.md], artifacts: {paths: [notes.md]}}\n"
    repository.commit(ci=RELEASE % "./notes.md" + made)
    repository.shipline("run", "-v", "VERSION=2.0")
    assert "Made by a job" in repository.shipline("releases", "show", "v2.0")


def test_the_tag_of_the_pipeline_is_the_release_s_commit(repository):
    first = repository.commit(ci=RELEASE % "Notes")
    repository.git("tag", "v3.0")
    repository.commit("Later")
    shown = repository.shipline("run", "-v", "VERSION=3.0")
    assert f"Release v3.0 is made, of commit {first[:8]}." in shown


def test_what_cannot_be_a_release_fails_the_job(repository):
    repository.commit(ci=RELEASE % "Notes")
    assert "Tag name invalid: 'v a'" in repository.shipline("run", "-v", "VERSION= a", code=1)
    repository.commit(ci=(RELEASE % "Notes").replace("  release:\n", "  release:\n    ref: no-such-branch\n"))
    assert "the release's ref 'no-such-branch' is no commit" in repository.shipline(
        "run", "-v", "VERSION=1", code=1
    )
