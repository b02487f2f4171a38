"""config.toml as gitlab-runner's users have it."""

import pytest

from shipline.runner import ConfigFile, RunnerError

TOML = """
concurrent = 4
check_interval = 3

[[runners]]
  name = "on the cluster"
  url = "https://gitlab.example.com/"
  token = "glrt-abc"
  executor = "kubernetes"
  tags = ["kubernetes"]
  environment = ["A=1"]
  [runners.kubernetes]
    namespace = "ci"
    privileged = true
    memory_limit = "2Gi"
    pull_policy = ["always", "if-not-present"]
    image_pull_secrets = ["acr-secret"]
    helper_image_flavor = "ubuntu"
    pod_security_context = {run_as_user = 1000}
    [runners.kubernetes.node_selector]
      disk = "ssd"
    [[runners.kubernetes.volumes.config_map]]
      name = "docker-daemon"
      mount_path = "/etc/docker/daemon.json"
      sub_path = "daemon.json"
    [[runners.kubernetes.volumes.host_path]]
      name = "tools"
      mount_path = "/tools"
      read_only = true
  [runners.cache]
    Type = "s3"
    Path = "ci"
    Shared = true
    MaxUploadedArchiveSize = 1000
    [runners.cache.s3]
      ServerAddress = "minio.example.com:9000"
      AccessKey = "key"
      BucketName = "runner"
      RoleARN = "arn:aws:iam::1:role/x"
"""


def test_what_is_known_is_read():
    config = ConfigFile.parse(TOML)
    (runner,) = config.runners
    assert config.concurrent == 4
    assert runner.executor == "kubernetes"
    assert runner.kubernetes.node_selector == {"disk": "ssd"}
    mount = runner.kubernetes.volumes.config_map[0]
    assert mount.source() == {"configMap": {"name": "docker-daemon"}}
    assert mount.mount(mount.name)["subPath"] == "daemon.json"
    assert runner.kubernetes.volumes.host_path[0].source() == {"hostPath": {"path": "/tools"}}
    assert (runner.cache.type, runner.cache.path, runner.cache.shared) == ("s3", "ci", True)
    assert runner.cache.max_uploaded_archive_size == 1000
    assert (runner.cache.s3.server_address, runner.cache.s3.bucket_name) == ("minio.example.com:9000", "runner")


def test_what_is_not_known_is_named_in_one_warning():
    (warning,) = ConfigFile.parse(TOML).warnings
    for key in ("runners.cache.s3.RoleARN", "runners.kubernetes.helper_image_flavor"):
        assert key in warning


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[runners]\n", "not valid TOML"),
        ("concurrent = 'many'", "concurrent"),
        ("[[runners]]\nexecutor = 'ssh'", "runners[0].executor"),
        ("[[runners]]\n[runners.kubernetes]\nprivileged = 'yes'", "kubernetes.privileged"),
    ],
)
def test_mistakes_are_named_with_their_place(text, words):
    with pytest.raises(RunnerError) as caught:
        ConfigFile.parse(text, "my.toml")
    assert "my.toml" in str(caught.value)
    assert words in str(caught.value)


def test_a_file_that_is_not_there():
    with pytest.raises(RunnerError, match=r"/no/config.toml: cannot be read"):
        ConfigFile.load("/no/config.toml")
