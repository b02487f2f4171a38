"""What tests of several rooms need."""

import pytest
from tests.objects.s3 import S3, serve


@pytest.fixture(scope="session")
def s3(tmp_path_factory) -> S3:
    """A real S3 server of this machine, for the whole run."""
    yield from serve(tmp_path_factory.mktemp("s3"))
