"""Every case of GitLab's behaviour holds: whole files, rules, structure, inputs, expressions, expansion."""

import json

import pytest
from tests.language.tables import cases, context, differences, name, words

from shipline.language import LanguageError, MemoryLoader, Variable, compile
from shipline.language.compiler import Compilation, run
from shipline.language.documents import Document
from shipline.language.expansion import expand, expand_all, loops
from shipline.language.expressions import ExpressionError, holds
from shipline.language.interpolation import interpolated
from shipline.language.presentation import job_data, pipeline_data
from shipline.language.scripts import flattened
from shipline.language.values import NOWHERE, located, plain


@pytest.mark.parametrize("case", [*cases("config"), *cases("found")], ids=name)
def test_whole_file(case):
    given = (case["yaml"], context(case.get("context")), MemoryLoader(case.get("files")))
    if not case["valid"]:
        with pytest.raises(LanguageError) as refused:
            compile(*given)
        assert any(finding.line for finding in refused.value.findings)
        assert words(case["error"]) & words(str(refused.value))
        return
    pipeline = compile(*given)
    data = pipeline_data(pipeline)
    assert set(data["jobs"]) == set(case["jobs"])
    assert differences(case["jobs"], data["jobs"]) == []
    assert case.get("stages", data["stages"]) == data["stages"]
    if "warning" in case:
        told = " ".join(warning.message for warning in pipeline.warnings)
        assert words(case["warning"]) <= words(told)
        assert bool(case["warning"]) == bool(told)


@pytest.mark.parametrize("case", cases("wording"), ids=name)
def test_wording(case):
    with pytest.raises(LanguageError) as refused:
        compile(case["yaml"], context(None))
    told = [finding.message for finding in refused.value.findings]
    assert any(case["error"] in message for message in told), told


@pytest.mark.parametrize("case", cases("validity"), ids=name)
def test_validity(case):
    if case["valid"]:
        compile(case["yaml"], context(None))
    else:
        with pytest.raises(LanguageError):
            compile(case["yaml"], context(None))


@pytest.mark.parametrize("case", cases("expressions"), ids=name)
def test_expression(case):
    variables = dict(case["variables"])
    inputs = variables.pop("inputs", None)
    if case["result"] == "error":
        with pytest.raises(ExpressionError):
            holds(case["expression"], variables, inputs)
    else:
        assert holds(case["expression"], variables, inputs) is case["result"]


@pytest.mark.parametrize("case", cases("expansion"), ids=name)
def test_expansion(case):
    files = case.get("expand_file_refs", True)
    if "value" in case:
        values = {item["key"]: item["value"] for item in case["variables"] if files or not item.get("file")}
        assert expand(case["value"], values, case["keep_undefined"] or not files) == case["result"]
        return
    variables = [Variable(**item) for item in case["collection"]]
    expanded = expand_all(variables, case["keep_undefined"], files, case.get("expand_raw_refs", True))
    assert {item.key: item.value for item in expanded} == case["sorted_expanded"]
    if "error" in case:
        assert json.dumps(loops(variables)[0]) in case["error"]


def file_of(case):
    """A file around a case's rules, with the jobs that its needs name."""
    config = {other: {"script": "x"} for other in ("a", "b", "n1", "n2", "n3", "n4")}
    job = {"script": "x", **case.get("job", {})} | {key: case[key] for key in ("only", "except") if key in case}
    if case.get("scope") == "workflow":
        config["workflow"] = {"rules": case["rules"]}
    elif "rules" in case:
        job["rules"] = case["rules"]
    if case["context"].get("workflow_rules"):
        config["workflow"] = {"rules": [{"when": "always"}]}
    return json.dumps({**config, "test": {**job, "stage": "test"}})


@pytest.mark.parametrize("case", cases("rules"), ids=name)
def test_rules(case):
    facts = case["context"]
    given = (file_of(case), context(facts), MemoryLoader(comparisons=facts.get("compare")))
    want = case["result"]
    if want == "error":
        with pytest.raises(LanguageError) as refused:
            compile(*given)
        assert words(case["error"]) & words(str(refused.value))
        return
    pipeline = compile(*given)
    job = next((job for job in pipeline.jobs if job.name == "test"), None)
    if want in (True, False, "not added"):
        assert (job is not None) is (want is True)
    elif case.get("scope") == "workflow":
        assert job is not None
        assert (
            differences(
                {"variables": want.get("variables", {})},
                pipeline_data(pipeline) | {"variables": {item.key: item.value for item in pipeline.variables}},
            )
            == []
        )
    else:
        codes = want.get("allow_failure")
        if isinstance(codes, dict):
            want = {**want, "allow_failure": {"exit_codes": [codes["exit_codes"]]}}
        assert differences(want, job_data(job)) == []


@pytest.mark.parametrize("case", cases("structure"), ids=name)
def test_structure(case):
    done = Compilation(context(case.get("context")))
    given = (done, case["yaml"], MemoryLoader(case.get("files")))
    if "error" in case:
        with pytest.raises(LanguageError) as refused:
            run(*given)
        assert words(case["error"]) & words(str(refused.value))
        return
    kind, want = case["kind"], case["result"]
    if kind == "merged":
        try:
            run(*given)
        except LanguageError:
            pass
        config = plain(flattened(done.merged))
        assert {job: kept(config, job, want[job]) for job in want} == want
        return
    pipeline = run(*given)
    jobs = pipeline_data(pipeline)["jobs"]
    if kind == "jobs":
        assert [job.name for job in pipeline.jobs] == want
    elif kind == "stages":
        assert pipeline.all_stages == want
    else:
        assert {job: jobs[job].get(kind) for job in want} == want


def kept(config, name, want):
    """A merged job; where the case is about defaults (`null`: not inherited), with those that it takes."""
    job = config[name]
    inherit = job.pop("inherit", None)
    if inherit is None:
        return job
    taken = {key: config["default"][key] for key in inherit["default"] or [] if key in config["default"]}
    return {key: {**taken, **job}.get(key) for key in want}


@pytest.mark.parametrize("case", cases("inputs"), ids=name)
def test_inputs(case):
    header = case.get("header") or {"spec": {"inputs": case["spec"]}}
    documents = [Document(located(header), NOWHERE), Document(case["content"], NOWHERE)]
    given = (documents, case["inputs"], case.get("variables") or {}, case.get("component") or {}, NOWHERE, None)
    if "error" in case:
        with pytest.raises(LanguageError) as refused:
            interpolated(*given)
        assert words(case["error"]) & words(str(refused.value))
    else:
        assert plain(interpolated(*given)) == case["result"]
