"""What can't be carried out yet is refused by name and place; what is in neither table has been learnt."""

import pytest

from shipline.engine.errors import EngineError
from shipline.engine.supported import refuse_unsupported
from shipline.language import Context, compile

REFUSED = {
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
