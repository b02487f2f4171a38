"""ID tokens of jobs on a server: signed by its key, which it shows to those who check them."""

import requests
from tests.vault_peer import verified

PIPELINE = """
job:
  tags: [kubernetes]
  id_tokens: {TOKEN: {aud: https://example.com}}
  secrets: {PASSWORD: {vault: production/db/password@ops, file: false}}
  variables: {VAULT_SERVER_URL: "https://vault.example.com", VAULT_AUTH_ROLE: ci}
  script: [echo]
"""


def test_a_token_holds_against_the_keys_that_the_server_shows(server, project, repository, agent, name):
    agent.job()  # the first pipeline's
    repository.commit({".gitlab-ci.yml": PIPELINE})
    repository.push()
    job = agent.job()
    described = requests.get(f"{server.url}/.well-known/openid-configuration", timeout=10).json()
    assert described["issuer"] == server.url
    jwks = requests.get(described["jwks_uri"], timeout=10).json()
    (token,) = [variable for variable in job["variables"] if variable["key"] == "TOKEN"]
    claims = verified(token["value"], jwks)
    assert token["masked"] and not token.get("public")
    assert (claims["iss"], claims["project_path"], claims["user_login"]) == (server.url, f"root/{name}", "root")
    assert claims["runner_id"] == agent.number and claims["job_id"] == str(job["id"])
    assert job["secrets"] == {
        "PASSWORD": {
            "vault": {
                "server": {
                    "url": "https://vault.example.com",
                    "namespace": "",
                    "auth": {"name": "jwt", "path": "jwt", "data": {"jwt": "$TOKEN", "role": "ci"}},
                },
                "engine": {"name": "kv-v2", "path": "ops"},
                "path": "production/db",
                "field": "password",
            },
            "file": False,
        }
    }
