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


def test_rules_see_it_in_what_only_looks_which_does_not_show_it(repository):
    rules = "rules: [{if: $TOKEN && $GITLAB_USER_NAME}]"
    repository.commit(ci=f"show: {{{rules}, script: ['echo $URL'], variables: {{URL: 'https://$TOKEN@x'}}}}\n")
    assert repository.shipline("list", "--format", "csv").count("\n") == 1
    repository.shipline("variable", "set", "TOKEN", stdin="secret-text\n")
    assert "\nshow,test," in repository.shipline("list", "--format", "csv")
    for options in ((), ("--variable", "URL"), ("--format", "json")):
        said = repository.shipline("explain", "show", *options)
        assert "https://[MASKED]@x" in said and "secret-text" not in said


def test_rules_see_the_value_of_their_jobs_environment(repository):
    jobs = {"one": "prod/1", "two": "staging"}
    for name, environment in jobs.items():
        jobs[name] = f"{name}: {{script: 'true', environment: {environment}, rules: [{{if: $TOKEN == 'mine'}}]}}"
    repository.commit(ci="\n".join(jobs.values()))
    repository.shipline("variable", "set", "TOKEN", stdin="everywhere")
    repository.shipline("variable", "set", "TOKEN", "--scope", "prod/*", stdin="mine")
    assert repository.shipline("list", "--format", "csv").splitlines()[1:] == ["one,test,on_success,no,"]
    shown = repository.shipline("run", "--quiet")
    assert "one" in shown and "two" not in shown


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


def test_a_hidden_variable_is_never_shown_again(repository):
    repository.commit(ci=SHOW)
    repository.shipline("variable", "set", "TOKEN", "--hidden", stdin="hidden-value")
    assert "is hidden" in repository.shipline("variable", "get", "TOKEN", code=2)
    assert repository.shipline("variable", "list", "--values") == "TOKEN  env_var  hidden  = [MASKED]\n"
    assert "hidden-value" not in repository.shipline("variable", "list", "--json")
    text = repository.shipline("variable", "export")
    assert "hidden-value" not in text and "Left out, since nobody is shown them any more: TOKEN" in text
    assert "stays so" in repository.shipline("variable", "set", "TOKEN", stdin="x", code=2)
    assert "[[MASKED]]" in repository.shipline("run")


def test_a_visible_variable_cannot_be_hidden_later(repository):
    repository.commit()
    repository.shipline("variable", "set", "TOKEN", "--masked", stdin="some-value")
    assert repository.shipline("variable", "get", "TOKEN") == "some-value\n"
    assert "delete it first" in repository.shipline("variable", "set", "TOKEN", "--hidden", stdin="x" * 8, code=2)


def test_export_and_import_give_the_same(repository):
    repository.commit()
    repository.shipline("variable", "set", "A", "--masked", "--protected", stdin="masked-value")
    repository.shipline(
        "variable", "set", "B", "--type", "file", "--file", str(repository.write("../b", "1\n2'\n"))
    )
    repository.shipline("variable", "set", "C", "--scope", "review/*", "--raw", "--description", "why", stdin="$x")
    text = repository.shipline("variable", "export")
    for key in "ABC":
        repository.shipline("variable", "delete", key)
    assert repository.shipline("variable", "import", "-", stdin=text) == "3 variables set.\n"
    assert repository.shipline("variable", "export") == text


def test_import_from_dotenv_is_all_or_nothing(repository):
    repository.commit()
    file = repository.write("vars.env", "# ours\nexport ONE=first-value  # a note\nTWO='a b'\nTHREE=\"x\\ny\"\n")
    assert "TWO cannot be masked" in repository.shipline("variable", "import", str(file), "--masked", code=2)
    assert "There are no variables" in repository.shipline("variable", "list")
    repository.shipline("variable", "import", str(file))
    assert repository.shipline("variable", "get", "TWO") == "a b\n"
    assert repository.shipline("variable", "get", "THREE") == "x\ny\n"
    assert repository.shipline("variable", "export", "--format", "dotenv") == (
        "ONE=first-value\nTHREE='x\ny'\nTWO='a b'\n"
    )


def test_protected_variables_and_refs(repository):
    repository.commit(ci=SHOW)
    repository.shipline("variable", "set", "TOKEN", "--protected", stdin="only-protected")
    repository.git("tag", "v1")
    assert "[only-protected]" in repository.shipline("run", "--job", "show")
    assert "show | []" in repository.shipline("run", "--job", "show", "--tag", "v1")
    assert "[only-protected]" in repository.shipline("run", "--job", "show", "--tag", "v1", "--protected")
    assert "show | []" in repository.shipline("run", "--job", "show", "--unprotected")


def test_a_scope_must_be_one(repository):
    repository.commit()
    text = repository.shipline("variable", "set", "A", "--scope", "a;b", stdin="x", code=2)
    assert "'a;b' is no scope for A" in text


def test_a_value_that_is_no_text(repository, tmp_path):
    repository.commit()
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    text = repository.shipline("variable", "set", "A", "--file", str(tmp_path / "binary"), code=2)
    assert "not UTF-8 text" in text and "base64" in text
