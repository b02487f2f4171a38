"""What a job is given when it is started by hand; jobs made of steps; keywords without effect."""

DEPLOY = """
deploy:
  when: manual
  manual_confirmation: Really?
  inputs:
    where: {default: staging, options: [staging, production]}
    replicas: {type: number, default: 2}
    hosts: {type: array, default: [a, b]}
    dry: {type: boolean, default: true}
  script:
    - echo "to ${{ job.inputs.where }} with ${{job.inputs.replicas}}, dry ${{ job.inputs.dry }}"
    - echo '${{ job.inputs.hosts }}' "for $WHO"
"""
STEPS = """
job:
  run:
    - {name: first, script: 'echo "one $WORD" && cd / && OTHER=set', env: {WORD: "it's"}}
    - {name: second, script: 'echo "two ${WORD:-unset} ${OTHER:-unset}"; test -d .git'}
    - {name: third, script: 'exit 7'}
    - {name: fourth, script: 'echo never'}
"""


def test_inputs_have_defaults_and_can_be_given_and_given_anew(repository):
    repository.commit(ci=DEPLOY)
    repository.shipline("run")
    assert "Job 'deploy' asks: Really? Say --yes." in repository.shipline("play", "deploy", code=2)
    shown = repository.shipline("play", "deploy", "--yes", "--input", "replicas=5", "-v", "WHO=Ada")
    assert "to staging with 5, dry true" in shown and '["a","b"] for Ada' in shown
    shown = repository.shipline("retry", "deploy", "--input", "where=production", "--input", "hosts=[c]")
    assert "to production with 5, dry true" in shown and '["c"] for Ada' in shown


def test_inputs_that_do_not_fit_are_refused_before_anything_runs(repository):
    repository.commit(ci=DEPLOY)
    repository.shipline("run")
    for given, why in (
        ("where=moon", "`moon` cannot be used because it is not in the list of allowed options"),
        ("replicas=many", "provided value is not a number"),
        ("who=me", "unknown input arguments: who"),
    ):
        assert why in repository.shipline("play", "deploy", "--yes", "--input", given, code=2)
    assert "manual" in repository.shipline("status")


def test_an_expression_that_names_no_input_fails_the_job(repository):
    repository.commit(ci="job: {inputs: {a: {default: x}}, script: ['echo ${{ job.inputs.b }}']}")
    assert "${{ job.inputs.b }}: 'b' was not found; there is a" in repository.shipline("run", code=1)
    repository.commit(ci="job: {script: ['echo ''${{ nothing }}''']}")
    assert "${{ nothing }}" in repository.shipline("run")


def test_steps_that_are_scripts_run_one_after_the_other(repository):
    repository.commit(ci=STEPS)
    shown = repository.shipline("run", code=1)
    assert "one it's" in shown and "two unset unset" in shown and "(exit code 7)" in shown
    assert "job | never" not in shown


VERSION = """
spec: {outputs: {version: {type: string}}}
---
exec: {command: [sh, -c, 'echo "{\\"name\\": \\"version\\", \\"value\\": \\"1.2\\"}" > ${{ output_file }}']}
"""


def test_a_function_of_the_commit_gives_a_value_to_the_next_step(repository):
    repository.write("functions/version/func.yml", VERSION)
    repository.commit(
        ci="job:\n  run:\n    - {name: a, func: ./functions/version}\n"
        "    - {name: b, script: 'echo v${{ steps.a.outputs.version }} of ${{ vars.CI_COMMIT_REF_NAME }}'}\n",
    )
    assert "v1.2 of main" in repository.shipline("run")


def test_functions_of_images_are_refused_by_name(repository):
    repository.commit(ci="job:\n  run: [{name: a, func: 'registry.example.com/f:1'}]\n")
    assert ".gitlab-ci.yml:2: job 'job': `run:func` is not supported" in repository.shipline("run", code=2)


def test_inputs_are_expressions(repository):
    repository.commit(
        ci="job:\n  inputs: {verbose: {type: boolean, default: true}, n: {type: number, default: 2}}\n"
        '  script: [\'echo ${{ job.inputs.verbose && "-v" || "" }} ${{ job.inputs.n * 2 }}\']\n'
    )
    assert "| -v 4" in repository.shipline("run")


def test_keywords_without_effect_are_told_and_the_job_runs(repository):
    repository.commit(
        ci="dast: {script: [echo ran], dast_configuration: {site_profile: a}}\n"
        "deploy: {script: [echo up], environment: {name: production, kubernetes: {namespace: app}}}\n"
    )
    shown = repository.shipline("run")
    assert "warning: job 'dast': `dast_configuration` has no effect" in shown and "dast   | ran" in shown
    assert "warning: job 'deploy': `environment:kubernetes` has no effect" in shown
