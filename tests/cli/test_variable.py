"""`shipline variable`: kept outside the repository, never shown, given to the jobs."""

SHOW = """
show:
  script:
    - 'echo "[$TOKEN]"'
    - 'if [ -n "$CONFIG" ]; then cat "$CONFIG"; fi'
deploy:
  environment: production
  script: ['echo "deploys with [$TOKEN]"']
"""


def test_a_masked_variable_reaches_the_job_and_no_log(repository):
    repository.commit(ci="show: {script: ['echo \"[$TOKEN]\"', 'echo ${#TOKEN}']}\n")
    repository.shipline("variable", "set", "TOKEN", "--masked", stdin="s3cret-value\n")
    text = repository.shipline("run")
    assert "show | [[MASKED]]" in text and "show | 12" in text and "s3cret-value" not in text
    assert repository.shipline("variable", "list") == "TOKEN  env_var  masked\n"


def test_a_file_variable_is_a_path(repository):
    repository.commit(ci=SHOW)
    repository.write("../config", "one\ntwo\n")
    repository.shipline("variable", "set", "CONFIG", "--type", "file", "--file", "../config")
    text = repository.shipline("run", "--job", "show")
    assert "show | one" in text and "show | two" in text


def test_a_scope_and_the_default_branch(repository):
    repository.commit(ci=SHOW)
    repository.shipline("variable", "set", "TOKEN", stdin="everywhere")
    repository.shipline("variable", "set", "TOKEN", "--scope", "prod*", "--protected", stdin="production")
    text = repository.shipline("run")
    assert "show   | [everywhere]" in text and "deploy | deploys with [production]" in text
    repository.git("checkout", "-q", "-b", "side")
    assert "deploy | deploys with [everywhere]" in repository.shipline("run")


def test_what_cannot_be_masked_is_refused_without_showing_it(repository):
    repository.commit()
    text = repository.shipline("variable", "set", "TOKEN", "--masked", stdin="short", code=2)
    assert "The value of TOKEN cannot be masked" in text and "short" not in text
    assert "'A-B' is no variable's name" in repository.shipline("variable", "set", "A-B", stdin="x", code=2)


def test_delete(repository):
    repository.commit()
    repository.shipline("variable", "set", "TOKEN", stdin="value")
    repository.shipline("variable", "delete", "TOKEN")
    assert "There are no variables" in repository.shipline("variable", "list")
    assert "There is no variable TOKEN." in repository.shipline("variable", "delete", "TOKEN", code=2)
