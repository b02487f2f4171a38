"""Includes of every kind through one loader, each error at the include's own place."""

import pytest

from shipline.language import Context, LanguageError, MemoryLoader, MergeRequest, Variable, compile, lint
from shipline.language.versions import chosen_version

JOB = "included: {script: x}\n"


def names(text, loader, **context):
    return [job.name for job in compile(text, Context(**context), loader).jobs]


def test_another_project_s_files_and_what_they_include_of_their_own():
    files = {"ci/a.yml": "include: /ci/b.yml\n" + JOB, "ci/b.yml": "theirs: {script: x}\n"}
    loader = MemoryLoader({"ci/b.yml": "ours: {script: x}"}, projects={"group/lib": files})
    text = "include: [{project: group/lib, ref: v1, file: [ci/a.yml]}]\n"
    assert names(text, loader) == ["theirs", "included"]


def test_remote_files_and_their_integrity_are_the_loader_s():
    loader = MemoryLoader(remotes={"https://example.com/a.yml": JOB})
    assert names("include: https://example.com/a.yml\n", loader) == ["included"]


def test_a_component_knows_itself():
    component = (
        "spec:\n  component: [name, reference]\n  inputs: {stage: {default: test}}\n---\n"
        "'$[[ component.name ]]-job':\n  stage: $[[ inputs.stage ]]\n  script: echo $[[ component.reference ]]\n"
    )
    loader = MemoryLoader(projects={"group/lib": {"templates/lint/template.yml": component}})
    (job,) = compile("include: [{component: $CI_SERVER_FQDN/group/lib/lint@1.2}]\n", Context(), loader).jobs
    assert (job.name, job.script) == ("lint-job", ["echo 1.2"])


def test_variables_of_the_circumstances_are_known_in_an_include_those_of_the_file_are_not():
    loader = MemoryLoader({"main.yml": JOB, "$MINE.yml": "never: {script: x}"})
    text = "variables: {MINE: main}\ninclude: [$CI_COMMIT_REF_NAME.yml]\n"
    assert names(text, loader) == ["included"]


def test_rules_decide_whether_a_file_is_read_at_all():
    text = "own: {script: x}\ninclude: [{local: missing.yml, rules: [{if: $CI_MERGE_REQUEST_IID}]}]\n"
    assert names(text, MemoryLoader()) == ["own"]
    with pytest.raises(LanguageError, match=r"Local file `missing\.yml` does not exist"):
        names(text, MemoryLoader(), source="merge_request_event", merge_request=MergeRequest())


def test_a_remote_file_has_no_repository_in_which_files_exist():
    remote = "include: [{local: more.yml, rules: [{exists: [Dockerfile]}]}]\nremote: {script: x}\n"
    loader = MemoryLoader({"Dockerfile": "", "more.yml": JOB}, remotes={"https://example.com/a.yml": remote})
    assert names("include: {remote: 'https://example.com/a.yml'}\nown: {script: x}\n", loader) == ["remote", "own"]


@pytest.mark.parametrize(
    "text",
    [
        "include: lib/$TOKEN.yml\n",
        "include: [{project: group/$TOKEN, file: a.yml}]\n",
        "include: ['https://$TOKEN.example.com/a.yml']\n",
        "a: {script: x, rules: [{exists: {project: group/$TOKEN, paths: [a]}}]}\n",
        "a: {script: x, rules: [{changes: {compare_to: $TOKEN, paths: [a]}}]}\n",
        "include: ['missing/$TOKEN/*.yml']\na: {script: x}\n",
    ],
)
def test_a_masked_value_is_not_told_where_an_include_or_rule_names_it(text):
    context = Context(project_variables=[Variable("TOKEN", "s3cret-value", masked=True)])
    told = lint(text, context, MemoryLoader())
    assert told and not any("s3cret-value" in f"{item} {item.source}" for item in told)
    if told[0].severity == "error":
        with pytest.raises(LanguageError, match=r"\[MASKED\]") as refused:
            compile(text, context, MemoryLoader())
        assert "s3cret-value" not in str(refused.value)


def test_a_component_takes_its_inputs_from_no_other_file():
    component = "spec: {include: [{local: inputs.yml}]}\n---\na: {script: x}\n"
    loader = MemoryLoader(projects={"group/parts": {"templates/one.yml": component, "empty.yml": ""}})
    with pytest.raises(LanguageError, match="Component `group/parts/one@1` cannot use `spec:include`"):
        names("include: [{component: example.com/group/parts/one@1}]", loader)
    with pytest.raises(LanguageError, match=r"Project `group/parts` file `empty\.yml` is empty!"):
        names("include: [{project: group/parts, file: empty.yml}]", loader)


@pytest.mark.parametrize(
    ("include", "told", "column"),
    [
        ("include: ci/bild.yml", "did you mean `ci/build.yml`", 10),
        ("include: [{loacl: a.yml}]", "did you mean `local`", 11),
        ("include: {project: no/where, file: a.yml}", "not found or access denied", 10),
        ("include: {component: nothing}", "not valid", 10),
        ("include: {local: ci/build.yml, inputs: {a: b}}", "Given inputs not defined", 40),
    ],
)
def test_an_error_stands_at_the_include(include, told, column):
    (finding,) = lint(f"{include}\na: {{script: x}}\n", Context(), MemoryLoader({"ci/build.yml": JOB}))
    assert told in str(finding)
    assert (finding.line, finding.column) == (1, column)


def test_an_error_inside_an_included_file_names_that_file():
    loader = MemoryLoader({"a.yml": "x:\n  script: [y]\n  stage: nope\n"})
    (finding,) = lint("include: a.yml\n", Context(), loader)
    assert (finding.file, finding.line, finding.source) == ("a.yml", 3, "  stage: nope")


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [("~latest", "2.0.0"), ("1", "1.10.0"), ("1.2", "1.2.3"), ("1.2.0", "1.2.0"), ("main", "main"), ("9", None)],
)
def test_versions_of_a_component(wanted, chosen):
    assert chosen_version(wanted, ["1.2.0", "1.2.3", "1.10.0", "2.0.0", "3.0.0-rc1", "nightly"]) == chosen
