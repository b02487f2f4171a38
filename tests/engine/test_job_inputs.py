"""A job's inputs in the payload."""

import msgspec
from tests.engine.examples import compiled

from shipline.engine.job_inputs import for_payload

DEPLOY = """
deploy:
  inputs:
    where: {default: staging}
    replicas: {type: number, default: 2}
    hosts: {type: array, default: [a, b]}
    dry: {type: boolean, default: true}
  script: [echo]
"""


def test_a_runner_gets_the_inputs_in_gitlab_s_form():
    found = for_payload(compiled(DEPLOY).definitions["deploy"], {"replicas": 3})
    assert msgspec.to_builtins(found) == [
        {"key": "where", "value": {"type": "string", "content": "staging", "sensitive": False}},
        {"key": "replicas", "value": {"type": "number", "content": 3, "sensitive": False}},
        {"key": "hosts", "value": {"type": "array", "content": ["a", "b"], "sensitive": False}},
        {"key": "dry", "value": {"type": "boolean", "content": True, "sensitive": False}},
    ]
