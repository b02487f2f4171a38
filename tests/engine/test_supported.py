"""What can't be carried out yet is refused by name and place; what is in neither table has been learnt."""

import pytest

from shipline.engine.errors import EngineError
from shipline.engine.supported import cautions, refuse_unsupported
from shipline.language import Context, compile

REFUSED = {
    "identity": "job:\n  script: [a]\n  identity: google_cloud\n",
    "run:step": "job:\n  run: [{name: a, step: {oci: {registry: r, repository: r, tag: t}}}]\n",
    "run:func": "job:\n  run: [{name: a, func: 'builtin://function/oci/build'}]\n",
    "secrets:aws_secrets_manager": "job:\n  script: [a]\n  secrets: {A: {aws_secrets_manager: {secret_id: a}}}\n",
}


@pytest.mark.parametrize("keyword", REFUSED)
def test_refused(keyword):
    with pytest.raises(EngineError, match=rf"\.gitlab-ci\.yml:\d+: job 'job': `{keyword}` is not supported: "):
        refuse_unsupported(compile(REFUSED[keyword], Context()))


def test_what_is_carried_out_passes():
    text = r"""
job:
  script: [a]
  needs: []
  retry: {max: 2, when: script_failure}
  allow_failure: {exit_codes: [3]}
  timeout: 3 minutes
  parallel: 2
  resource_group: production
  interruptible: true
  environment: {name: production, url: https://example.com, on_stop: stop}
  coverage: '/\d+%/'
  hooks: {pre_get_sources_script: [echo]}
stop: {script: [a], when: manual, environment: {name: production, action: stop}}
later: {script: [a], when: delayed, start_in: 1 minute}
"""
    refuse_unsupported(compile(text, Context()))


def test_what_changes_nothing_is_told_with_its_place():
    text = "job:\n  script: [a]\n  environment: {name: x, kubernetes: {namespace: app}}\n"
    (caution,) = cautions(compile(text, Context()))
    assert str(caution).startswith(".gitlab-ci.yml:3:")
    assert "job 'job': `environment:kubernetes` has no effect" in str(caution) and caution.severity == "warning"
