"""ID tokens, secrets, inputs and what is published, with jobs in pods of an embedded cluster."""

import json
import os
import secrets
import subprocess

import pytest
from tests.cli.conftest import SHIPLINE
from tests.vault_peer import VaultPeer

pytestmark = pytest.mark.engine

JOB = """
default: {image: {name: shipline/debian, pull_policy: if-not-present}}
deploy:
  id_tokens: {VAULT_ID_TOKEN: {aud: https://vault.example.com}}
  secrets: {PASSWORD: {vault: production/db/password}, PLAIN: {vault: production/db/password, file: false}}
  variables: {VAULT_SERVER_URL: "%s", VAULT_AUTH_ROLE: ci}
  inputs: {where: {default: staging}}
  environment: {name: "review/$CI_COMMIT_REF_SLUG", url: "https://$HOST.example.com"}
  release: {tag_name: v1, description: notes.md}
  pages: true
  script:
    - test "$(cat "$PASSWORD")" = s3cr3t-of-db && test "$PLAIN" = s3cr3t-of-db
    - cat "$PASSWORD"
    - echo "to ${{ job.inputs.where }}" > notes.md
    - mkdir public && echo Site > public/index.html && echo HOST=abc > deploy.env
  artifacts: {paths: [notes.md], reports: {dotenv: deploy.env}}
"""


def test_a_pod_gets_secrets_and_what_it_made_is_published(repository):
    name = f"secret-{secrets.token_hex(3)}"
    jwks = json.loads(repository.shipline("id-token", "jwks"))
    vault = VaultPeer(jwks, "http://127.0.0.1:8930", "https://vault.example.com")
    vault.roles["ci"] = {"ref": "main"}
    vault.stored["kv-v2"] = {"production/db": {"password": "s3cr3t-of-db"}}
    try:
        repository.commit(ci=JOB % vault.url)
        shown = repository.shipline("run", "--cluster", name)
        assert "s3cr3t" not in shown and "Release v1 is made" in shown and "Pages are published." in shown
        assert "  https://abc.example.com" in repository.shipline("environments")
        assert "to staging" in repository.shipline("releases", "show", "v1")
    finally:
        vault.close()
        delete = [SHIPLINE, "cluster", "delete", name]
        subprocess.run(delete, env=os.environ | repository.environment, check=True)
