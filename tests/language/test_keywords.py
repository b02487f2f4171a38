"""What each keyword takes and refuses, in small: beyond the tables, from GitLab's documentation and behaviour."""

import pytest

from shipline.language import Context, LanguageError, compile

TAKEN = [
    "a: {script: x, parallel: {matrix: []}}",
    "workflow: {}\na: {script: x}",
    "a: {script: x, needs: []}",
    "a: {script: x, only: []}",
    "a: {script: x, except: []}",
    "a: {script: x, environment: {name: p, url: 'ftp://x'}}",
    "a: {script: x, environment: {name: p, kubernetes: {agent: a, dashboard: {namespace: m}}}}",
    "a: {script: x, environment: {name: p, kubernetes: {agent: a, namespace: n, flux_resource_path: f}}}",
    "a: {script: x, timeout: 1 month}",
    "a: {trigger: {include: a.yml, strategy: mirror}}",
    "a: {extends: [], script: x}",
    "a: {script: x, tags: []}",
    "a: {script: x, allow_failure: {}}",
    "a: {script: x, artifacts: {expire_in: '7'}}",
    "a: {script: x, cache: {key: {files: [a,b,c]}}}",
    "a: {script: x, coverage: '/a/'}",
    "a: {script: x, variables: {A: true}}",
    "a: {script: x, variables: {A: null}}",
    "a: {script: x, dependencies: [b]}\nb: {script: x}",
    "a: {script: x, inherit: {}}",
    "a: {script: x, interruptible: null}",
    "a: {run: [{name: s, script: x}]}",
    "spec: {inputs: {a: {default: x}}}\n---\na: {script: '$[[ inputs.a ]]'}",
    "a: {script: x, rules: [{if: null}]}",
    "a: {script: x, rules: [{exists: [a], changes: [b]}]}",
    "a: {script: x, inputs: {x: {default: 1, type: number}}}",
    "a: {script: x, manual_confirmation: hi}",
    "variables: {A: {value: a, options: [a, b], description: d}}\na: {script: x}",
    "variables: {A: {value: a, options: []}}\na: {script: x}",
    "a: {script: x, tags: ['', b]}",
    "workflow: {script: x}\n",
    "a: {script: x, needs: [[b]]}\nb: {script: x}",
    "a: {script: x, cache: {policy: $POLICY}}",
    "a: {script: x, cache: [[{paths: [a]}, [{paths: [b]}, {paths: [c]}]], {paths: [d]}, {paths: [e]}]}",
    "a: {script: x, services: [null]}",
    "workflow: {rules: [{when: always, allow_failure: true}]}\na: {script: x}",
]
REFUSED = [
    "a: {script: x, parallel: {matrix: [{A: [1.5]}]}}",
    "a: {script: x, parallel: {matrix: [{A: ''}]}}",
    "a: *x",
    "variables: {D: 2020-01-01}\na: {script: x}",
    "a: {script: x}\nb: {script: [1]}",
    "workflow: {rules: []}\na: {script: x}",
    "a: {script: x, needs: {}}",
    "a: {script: x, needs: [{pipeline: $P}]}",
    "a: {trigger: g/p, needs: [{project: g/p, ref: main, job: j}]}",
    "a: {script: x, only: main}",
    "a: {script: x, environment: {}}",
    "a: {script: x, environment: 1}",
    "a: {script: x, environment: {name: p, kubernetes: {}}}",
    "a: {script: x, environment: {name: p, kubernetes: {agent: a, flux_resource_path: f}}}",
    "a: {script: x, environment: {name: p, kubernetes: {namespace: n, flux_resource_path: f}}}",
    "a: {script: x, environment: {name: p, kubernetes: {managed_resources: {enabled: true}}}}",
    "a: {script: x, environment: {name: p, kubernetes: {agent: a, namespace: n, dashboard: {namespace: m}}}}",
    "a: {script: x, environment: {name: 'a b!'}}",
    "a: {script: x, image: ''}",
    "a: {script: x, retry: 3}",
    "a: {script: x, retry: {max: 3}}",
    "a: {script: x, retry: '1'}",
    "a: {script: x, timeout: ''}",
    "a: {script: x, parallel: 0}",
    "a: {script: x, parallel: 1.5}",
    "a: {script: x, parallel: {matrix: [{A: [true]}]}}",
    "a: {trigger: {}}",
    "a: {trigger: {include: [a.yml,b.yml,c.yml,d.yml]}}",
    "a: {trigger: {project: g/p, strategy: x}}",
    "a: {trigger: ''}",
    "include: nope.yml\na: {script: x}",
    "include: {template: x.yml}\na: {script: x}",
    "a: {script: x, allow_failure: 'true'}",
    "a: {script: x, artifacts: {expire_in: 7}}",
    "a: {script: x, artifacts: {name: 1}}",
    "a: {script: x, artifacts: {reports: {junit: [1]}}}",
    "a: {script: x, artifacts: {reports: {foo: a}}}",
    "a: {script: x, cache: [{key: a},{key: b},{key: c},{key: d},{key: e}]}",
    "a: {script: x, cache: {paths: x}}",
    "a: {script: x, cache: {fallback_keys: [a,b,c,d,e,f]}}",
    "a: {script: x, services: [{name: a, alias: 1}]}",
    "a: {script: x, services: [{name: a, command: {a: b}}]}",
    "a: {script: x, secrets: {A: {vault: {path: x}}}}",
    "a: {script: x, id_tokens: {A: {}}}",
    "a: {script: x, id_tokens: {A: {aud: []}}}",
    "a: {script: x, hooks: {foo: x}}",
    "a: {script: x, stage: [b]}",
    "a: {script: x, stage: 1}",
    "a: {script: x, dependencies: [nope]}",
    "a: {stage: build, script: x, dependencies: [b]}\nb: {script: x}",
    "a: {script: x, inherit: true}",
    "default: {image: i}\nimage: j\na: {script: x}",
    "stages: build\na: {script: x}",
    "a: {script: x, when: delayed, start_in: 8 days}",
    "a: {script: x, publish: p}",
    "a: {script: x, release: {tag_name: v}}",
    "spec: {inputs: {a: }}\na: {script: x}",
    "a: {script: x, rules: [{when: manual, foo: 1}]}",
    "variables: {A: {options: [a, b]}}\na: {script: x}",
    "variables: {A: {value: [a]}}\na: {script: x}",
    "variables: {A: {value: a, expand: 'no'}}\na: {script: x}",
    "a: {script: x, extends: .b}\n.b: {extends: .c}",
    "a: {script: x, dast_configuration: x}",
    "a: {script: x, rules: [{variables: {A: {value: x}}}]}",
    "a: {script: x, rules: [{when: always, auto_cancel: {}}]}",
    "a: {trigger: g/p, allow_failure: {exit_codes: 1}}",
    "include: {local: a.yml, integrity: sha256-x}\na: {script: x}",
    "include: {remote: 'https://x/a.yml', integrity: md5-x}\na: {script: x}",
    "a: {script: x, release: {tag_name: v, description: d, ref: 'a..b'}}",
    "a: {script: x, run: [{name: s, step: s}], trigger: g/p}",
    "a: {script: x, needs: [{project: g/p, ref: main, job: j}], dependencies: [j]}",
    "a: {script: x, services: [{name: pg, variables: {A: {value: x}}}]}",
]


@pytest.mark.parametrize("text", TAKEN)
def test_taken(text):
    compile(text, Context())


@pytest.mark.parametrize("text", REFUSED)
def test_refused_with_a_place(text):
    with pytest.raises(LanguageError) as refused:
        compile(text, Context())
    assert all(finding.message for finding in refused.value.findings)
    assert any(finding.line for finding in refused.value.findings)


@pytest.mark.parametrize("tag", ["latest", "1", "1.5", "1.5.0"])
def test_the_examples_of_the_json_schema(tag):
    """All that the editors' schema of the language gives examples for: a step from an OCI image."""
    image = f"registry: registry.gitlab.com, repository: my_group/my_project/image, tag: '{tag}'"
    step = f"{{oci: {{{image}, dir: /my_steps/hello_world, file: func.yml}}}}"
    text = f"a: {{run: [{{name: s, step: {step}}}]}}"
    oci = compile(text, Context()).jobs[0].extra["run"][0]["step"]["oci"]
    assert oci["tag"] == tag and oci["dir"] == "/my_steps/hello_world"


def test_lists_in_lists_are_one_as_references_leave_them():
    text = """
.node: {cache: [{key: n, paths: [m]}], services: [redis]}
all: {cache: {key: p, paths: [w]}, services: [db, !reference [.node, services]], script: x}
a: {cache: [!reference [.node, cache], !reference [all, cache]], services: [!reference [all, services]], script: x}
b: {trigger: {include: [[c.yml], {local: d.yml}]}}
"""
    jobs = {job.name: job for job in compile(text, Context()).jobs}
    assert [cache["key"] for cache in jobs["a"].cache] == ["n", "p"]
    assert [service.name for service in jobs["a"].services] == ["db", "redis"]
    assert jobs["b"].trigger["include"] == ["c.yml", {"local": "d.yml"}]
