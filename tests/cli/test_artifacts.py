"""Files between the jobs of a pipeline on this machine, and `shipline artifacts`."""

import json

PIPELINE = """\
stages: [build, test]
build:
  stage: build
  script:
    - mkdir out; echo made > out/a; echo "VERSION=1.2.3" > build.env
    - echo '<testsuite><testcase name="good"/><testcase name="bad"><failure/></testcase></testsuite>' > j.xml
  artifacts:
    paths: [out]
    expire_in: 1 week
    reports: {dotenv: build.env, junit: j.xml}
test:
  stage: test
  script: ['cat out/a; echo "version=$VERSION"']
apart:
  stage: test
  needs: [{job: build, artifacts: false}]
  script: ['ls out 2>&1 || echo "no files, version=[$VERSION]"']
"""


def test_files_and_variables_go_to_later_jobs(repository):
    repository.commit(ci=PIPELINE)
    out = repository.shipline("run")
    assert "test  | made" in out and "version=1.2.3" in out
    assert "no files, version=[]" in out
    assert "build: junit: 2 tests, 1 failed" in out and "x bad" in out
    assert out.count("build | running") == 1


def test_what_jobs_left_is_listed_and_fetched(repository):
    repository.commit(ci=PIPELINE)
    assert "no pipeline yet" in repository.shipline("artifacts", code=2)
    repository.shipline("run", "-q")
    listed = repository.shipline("artifacts")
    assert "artifacts.zip" in listed and "dotenv" in listed and "until 20" in listed
    data = json.loads(repository.shipline("artifacts", "--json"))
    assert [file["file_type"] for file in data[0]["files"]] == ["archive", "dotenv", "junit"]
    assert repository.shipline("artifacts", "get", "--job", "build", "--path", "out/a") == "made\n"
    assert "VERSION=1.2.3" in repository.shipline("artifacts", "get", "--job", "build", "--report", "dotenv")
    repository.shipline("artifacts", "get", "-o", "there")
    assert (repository.directory / "there/out/a").read_text() == "made\n"
    assert "Did you mean out/a?" in repository.shipline(
        "artifacts", "get", "--job", "build", "--path", "out/b", code=2
    )
    assert "left nothing" in repository.shipline("artifacts", "get", "--job", "test", code=2)


def test_one_job_uses_what_an_earlier_pipeline_left(repository):
    repository.commit(ci=PIPELINE)
    alone = repository.shipline("run", "--job", "test", code=1)
    assert "Job 'test' gets files of 'build', of which there are none here" in alone
    repository.shipline("run", "-q")
    out = repository.shipline("run", "--job", "test")
    assert "test | made" in out and "version=1.2.3" in out


def test_a_wrong_dotenv_file_fails_its_job_and_says_why(repository):
    repository.commit(ci="a:\n  script: [echo nonsense > x]\n  artifacts: {reports: {dotenv: x}}\n")
    out = repository.shipline("run", code=1)
    assert 'Uploading artifacts as "dotenv" to coordinator... 400 Bad Request: Invalid Format' in out


def test_the_address_of_an_environment_may_come_from_the_job(repository):
    text = """\
deploy:
  script: ['echo "ADDRESS=https://$CI_JOB_ID.example.com" > deploy.env']
  environment: {name: review, url: $ADDRESS}
  artifacts: {reports: {dotenv: deploy.env}}
"""
    repository.commit(ci=text)
    repository.shipline("run", "-q")
    assert "https://1.example.com" in repository.shipline("environments")
