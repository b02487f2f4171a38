"""What a cache's text becomes: a key in the log, a name in a bucket, a file in a folder."""

import pytest
from tests.runner.desk import job

from shipline.objects.folder import Folder
from shipline.protocol.payload import Variable
from shipline.runner import RunnerConfig, RunnerError
from shipline.runner.cache.config import AzureConfig, CacheConfig, GcsConfig, S3Config
from shipline.runner.cache.keys import Key, file_name, key_of, object_name, sanitised
from shipline.runner.cache.store import authentication, endpoint, open_cache
from shipline.runner.variables import Variables

PAYLOAD = job(("file:///x", "1" * 40), "true")


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("default-protected", "default-protected"),
        ("a/b", "a/b"),
        ("../../etc/passwd", "etc/passwd"),
        ("a/../../b", "b"),
        ("%2e%2e%2fb", "b"),
        (r"..\..\b", "b"),
        ("a%2Fb", "a/b"),
        ("key  ", "key"),
        ("a/ /  ", "a"),
        ("/a//b/", "a/b"),
        ("..", ""),
        ("   ", ""),
        ("/", ""),
        ("", ""),
        ("über $x", "über $x"),
        ("a\0b", "ab"),
    ],
)
def test_a_key_has_no_way_out(written, key):
    assert sanitised(written) == key


def test_variables_are_replaced_before():
    variables = Variables([Variable("REF", "../x"), Variable("EMPTY", "")])
    assert key_of("$REF-1", PAYLOAD, variables) == Key("x-1", "x-1", 'cache key "../x-1" sanitized to "x-1"')
    assert key_of("", PAYLOAD, variables).shown == "a-job/main"
    assert key_of("$EMPTY", PAYLOAD, variables).shown == ""
    assert key_of("..", PAYLOAD, variables).warning == 'cache key ".." could not be sanitized'


def test_hashed_keys():
    key = key_of("../x", PAYLOAD, Variables([Variable("FF_HASH_CACHE_KEYS", "true")]))
    assert (key.shown, len(key.stored), key.warning) == ("../x", 64, "")


def test_the_name_in_a_bucket_is_gitlab_runners():
    key = Key("k-protected", "k-protected")
    alone = RunnerConfig(
        url="https://x", token="glrt-t1_abcdefghijklmnop", cache=CacheConfig(type="s3", path="/ci/")
    )
    assert object_name(key, PAYLOAD, alone) == "ci/runner/abcdefghi/project/7/k-protected"
    shared = RunnerConfig(
        url="https://x", token="glrt-t1_abcdefghijklmnop", cache=CacheConfig(type="s3", shared=True)
    )
    assert object_name(key, PAYLOAD, shared) == "project/7/k-protected"
    here = RunnerConfig(cache=CacheConfig(type="s3"))
    assert object_name(key, PAYLOAD, here) == "local/group/app/k-protected", "a number would be another's elsewhere"
    assert RunnerConfig(token="glrt-abcdefghijkl").short_token == "abcdefghi"


def test_the_file_in_a_folder_is_one_name_however_odd_the_key():
    def name(stored, **settings):
        return file_name(Key(stored, stored), PAYLOAD, RunnerConfig(**settings))

    assert name("k-protected") == "local/7/k-protected.zip"
    assert name("k", url="https://gitlab.example.com:8443/x/") == "gitlab.example.com_8443_x/7/k.zip"
    names = [name(key) for key in ("a/b", "a", "a%2Fb", "ü", "x" * 500, "x" * 501, "a.zip", "ü" * 200)]
    assert len(set(names)) == len(names)
    assert all(each.count("/") == 2 and len(each.split("/")[-1]) < 250 for each in names)


def test_where_caches_are(tmp_path):
    assert open_cache(RunnerConfig()) is None
    folder = open_cache(RunnerConfig(cache_dir=str(tmp_path), cache=CacheConfig(local_size_limit=5)))
    assert isinstance(folder, Folder) and (folder.root, folder.limit) == (tmp_path, 5)
    minio = S3Config(server_address="minio:9000", access_key="a", secret_key="b", bucket_name="ci", insecure=True)
    assert open_cache(RunnerConfig(cache=CacheConfig(type="s3", s3=minio))).place("x") == "http://minio:9000/ci/x"
    amazon = S3Config(bucket_name="ci", bucket_location="eu-west-1")
    assert open_cache(RunnerConfig(cache=CacheConfig(type="S3", s3=amazon))).place() == "s3://ci"
    account = GcsConfig(access_id="ci@example.com", private_key="no key", bucket_name="ci")
    with pytest.raises(RunnerError, match="gcs"):
        open_cache(RunnerConfig(cache=CacheConfig(type="gcs", gcs=account)))
    azure = AzureConfig(account_name="me", account_key="a2V5", container_name="ci")
    assert open_cache(RunnerConfig(cache=CacheConfig(type="azure", azure=azure))).place() == "az://ci"


@pytest.mark.parametrize(
    ("cache", "words"),
    [
        (CacheConfig(type="ftp"), "'ftp' is not known"),
        (CacheConfig(type="s3"), r"\[runners.cache.s3\] has no BucketName"),
        (CacheConfig(type="s3", s3=S3Config(bucket_name="x", authentication_type="magic")), "'magic' is not known"),
        (
            CacheConfig(type="s3", s3=S3Config(bucket_name="x", server_side_encryption="rot13")),
            "'rot13' is not known",
        ),
    ],
)
def test_settings_that_make_no_sense(cache, words):
    with pytest.raises(RunnerError, match=words):
        open_cache(RunnerConfig(cache=cache))


def test_who_asks_for_the_bucket_and_where():
    assert authentication(S3Config()) == "iam"
    assert authentication(S3Config(server_address="x", access_key="a", secret_key="b")) == "access-key"
    assert authentication(S3Config(authentication_type="IAM", access_key="a")) == "iam"
    assert endpoint(S3Config(server_address="x:80", insecure=True)) == "http://x"
    assert endpoint(S3Config(server_address="x:443")) == "https://x"
    assert endpoint(S3Config(server_address="x:9000")) == "https://x:9000"
