"""id_tokens and secrets: what a job is, signed; and what a store gives it for that."""

import json
import re
import subprocess

import pytest
from tests.vault_peer import VaultPeer, verified

JOB = """
variables: {VAULT_SERVER_URL: "%s", VAULT_AUTH_ROLE: ci, VAULT_NAMESPACE: team}
job:
  id_tokens: {VAULT_ID_TOKEN: {aud: https://vault.example.com}}
  secrets:
    PASSWORD: {vault: production/db/password}
    PORT: {vault: {engine: {name: kv-v2, path: kv-v2}, path: production/db, field: port}, file: false}
    OLD: {vault: {engine: {name: kv-v1, path: old}, path: production/db, field: password}, file: false}
  environment: production
  script:
    - test "$(cat "$PASSWORD")" = s3cr3t-of-db
    - test "$PORT" = 5432
    - test "$OLD" = old-s3cr3t-value
    - cat "$PASSWORD"
    - echo "old is $OLD, token is $VAULT_ID_TOKEN"
    - test -f "$PASSWORD"
"""
TOKENS = """
job:
  variables: {WHO: cloud.example.com}
  id_tokens:
    ONE: {aud: "https://$WHO"}
    TWO: {aud: [a, "$WHO"]}
  environment: {name: review/app, action: verify, deployment_tier: staging}
  script: ['printf %s "$ONE" > "$TARGET.one"', 'printf %s "$TWO" > "$TARGET.two"', 'echo $ONE']
"""


@pytest.fixture
def vault(repository):
    jwks = json.loads(repository.shipline("id-token", "jwks"))
    peer = VaultPeer(jwks, repository.shipline("id-token", "issuer").strip(), "https://vault.example.com")
    peer.roles["ci"] = {"ref": "main", "ref_protected": "true"}
    peer.stored["kv-v2"] = {"production/db": {"password": "s3cr3t-of-db", "port": 5432}}
    peer.stored["old"] = {"production/db": {"password": "old-s3cr3t-value"}}
    yield peer
    peer.close()


def test_a_job_reads_its_secrets_and_its_log_shows_none(repository, vault):
    repository.commit(ci=JOB % vault.url)
    shown = repository.shipline("run")
    assert "s3cr3t" not in shown and "eyJ" not in shown
    assert "old is [MASKED], token is [MASKED]" in shown
    assert vault.namespaces == ["team"] * 3
    assert vault.claims[0]["environment"] == "production" and vault.claims[0]["deployment_tier"] == "production"


def test_engines_log_ins_and_tokens_of_one_s_own(repository, vault):
    vault.stored["team/kv-v2-ops"] = {"db": {"password": "ops-s3cr3t-1"}}
    ci = (JOB % vault.url).partition("  id_tokens:")[0].replace("VAULT_AUTH_ROLE: ci", "VAULT_AUTH_ROLE: ci, "
         "VAULT_AUTH_PATH: team/jwt-ci")  # fmt: skip
    repository.commit(
        ci=f"{ci}  id_tokens: {{OTHER: {{aud: nobody}}, FOR_VAULT: {{aud: https://vault.example.com}}}}\n"
        "  secrets: {PASSWORD: {vault: db/password@team/kv-v2-ops, token: $FOR_VAULT, file: false}}\n"
        "  script: ['test \"$PASSWORD\" = ops-s3cr3t-1 && echo had it']\n"
    )
    assert "had it" in repository.shipline("run")
    assert vault.logins == ["auth/team/jwt-ci/login"]


def test_a_vault_is_believed_by_its_certificate(repository, vault, tmp_path):
    files = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=vault", "-days", "2"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    peer = VaultPeer(vault.jwks, vault.issuer, vault.audience, files)
    peer.roles, peer.stored = vault.roles, vault.stored
    try:
        repository.commit(ci=JOB % peer.url)
        assert "Vault does not answer: ClientConnectorCertificateError" in repository.shipline("run", code=1)
        assert "old is [MASKED]" in repository.shipline("run", VAULT_CACERT=files[0])
        shown = repository.shipline("run", code=1, VAULT_CACERT=files[1])
        assert "VAULT_CACERT or VAULT_CAPATH cannot be used" in shown
    finally:
        peer.close()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("VAULT_AUTH_ROLE: ci", "VAULT_AUTH_ROLE: other"), 'Vault answered 400: role "other" could not be found'),
        (("production/db/password}", "production/db/nothing}"), "has no field 'nothing'"),
        (("production/db/password}", "staging/db/password}"), "Vault answered 404: no such secret"),
        (("aud: https://vault.example.com", "aud: other"), "Vault answered 400: error validating token"),
        (("http://127.0.0.1:", "http://127.0.0.1:1/"), "Vault does not answer"),
        (("VAULT_SERVER_URL", "ANOTHER"), "`secrets` needs the variable VAULT_SERVER_URL"),
        (("id_tokens: {VAULT_ID_TOKEN: {aud: https://vault.example.com}}", ""), "no `id_tokens` to log in"),
    ],
)
def test_what_goes_wrong_is_said_without_a_secret_in_it(repository, vault, change, why):
    repository.commit(ci=(JOB % vault.url).replace(*change))
    shown = repository.shipline("run", code=1)
    assert why in shown, shown
    assert "s3cr3t" not in shown and "eyJ" not in shown


def test_no_line_of_a_secret_with_several_is_shown(repository, vault):
    vault.stored["kv-v2"]["production/key"] = {
        "pem": "-----BEGIN-----\nfirst-half-of-it\nother-half\n-----END-----"
    }
    ci = (JOB % vault.url).partition("  secrets:")[0]
    repository.commit(ci=f"{ci}  secrets: {{PEM: {{vault: production/key/pem}}}}\n  script: ['head -2 \"$PEM\"']\n")
    shown = repository.shipline("run")
    assert "half" not in shown and shown.count("[MASKED]") >= 2


def test_a_job_of_another_branch_is_not_let_in(repository, vault):
    repository.commit(ci=JOB % vault.url)
    repository.git("checkout", "-qb", "feature")
    assert 'claim "ref" does not match' in repository.shipline("run", code=1)


def test_other_stores_are_refused_by_name(repository):
    repository.commit(ci="job: {script: [a], secrets: {ONE: {gcp_secret_manager: {name: one}}}}")
    shown = repository.shipline("run", code=2)
    assert "job 'job': `secrets:gcp_secret_manager` is not supported" in shown


def test_tokens_say_what_the_job_is(repository, tmp_path):
    sha = repository.commit(ci=TOKENS)
    shown = repository.shipline("run", "-v", f"TARGET={tmp_path / 'token'}")
    assert re.search(r"\[MASKED\]", shown) and "eyJ" not in shown
    jwks = json.loads(repository.shipline("id-token", "jwks"))
    one, two = (verified((tmp_path / f"token.{name}").read_text(), jwks) for name in ("one", "two"))
    assert one["aud"] == "https://cloud.example.com" and two["aud"] == ["a", "cloud.example.com"]
    assert one["jti"] != two["jti"] and one["nbf"] == one["iat"] - 5 and one["exp"] == one["iat"] + 3600
    said = {key: one[key] for key in ("iss", "ref", "ref_type", "ref_path", "ref_protected", "sha", "job_id")}
    assert said == {
        "iss": "http://127.0.0.1:8930",
        "ref": "main",
        "ref_type": "branch",
        "ref_path": "refs/heads/main",
        "ref_protected": "true",
        "sha": sha,
        "job_id": "1",
    }
    path = one["project_path"]
    assert one["sub"] == f"project_path:{path}:ref_type:branch:ref:main"
    assert one["ci_config_ref_uri"].endswith(f"/{path}//.gitlab-ci.yml@refs/heads/main")
    assert (one["environment"], one["environment_action"], one["deployment_tier"]) == (
        "review/app",
        "verify",
        "staging",
    )


def test_the_key_is_for_its_owner_only_and_stays(repository):
    first = repository.shipline("id-token", "pem")
    assert first == repository.shipline("id-token", "pem") and "PUBLIC KEY" in first
    (key,) = (repository.home / "state").glob("id-token-key.pem")
    assert key.stat().st_mode & 0o777 == 0o600
    repository.shipline("id-token", "issuer", "https://ci.example.com/")
    assert repository.shipline("id-token", "issuer") == "https://ci.example.com\n"
    key.write_text("nothing")
    assert "is no RSA key: restore it" in repository.shipline("id-token", "pem", code=2)
