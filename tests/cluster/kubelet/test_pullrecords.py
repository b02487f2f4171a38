"""An image that was pulled with a password is for those who have that password."""

from shipline.cluster.api.machinery import Api
from shipline.cluster.kubelet.pullrecords import PullRecords

ROBOT = {"username": "robot", "password": "s3cret-Pass"}
WRONG = {"username": "robot", "password": "nope"}


def records():
    api = Api()
    api.create("namespaces", None, {"metadata": {"name": "kube-system"}})
    return api, PullRecords(api)


def test_an_image_that_was_there_before_is_for_all():
    _, records_ = records()
    assert records_.may_use("sha256:1", "app:1", [])


def test_an_image_pulled_with_a_password_is_for_who_has_it():
    _, records_ = records()
    records_.note("sha256:1", "app:1", ROBOT)
    assert records_.may_use("sha256:1", "app:1", [WRONG, ROBOT])
    assert not records_.may_use("sha256:1", "app:1", [WRONG])
    assert not records_.may_use("sha256:1", "app:1", [])


def test_an_image_that_anybody_could_pull_is_for_all():
    _, records_ = records()
    records_.note("sha256:1", "app:1", ROBOT)
    records_.note("sha256:1", "app:1", None)
    assert records_.may_use("sha256:1", "app:1", [])


def test_another_image_under_the_name_is_not_for_all_either():
    _, records_ = records()
    records_.note("sha256:1", "app:1", ROBOT)
    assert not records_.may_use("sha256:2", "app:1", [])
    assert records_.may_use("sha256:2", "app:2", [])


def test_the_records_outlive_the_daemon_without_passwords():
    api, before = records()
    before.note("sha256:1", "app:1", ROBOT)
    after = PullRecords(api)
    assert after.may_use("sha256:1", "app:1", [ROBOT])
    assert not after.may_use("sha256:1", "app:1", [WRONG])
    assert "s3cret" not in str(api.list("secrets"))
