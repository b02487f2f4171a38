"""What tests of several rooms need."""

import signal

import pytest
from tests.objects.s3 import S3, serve

# A run in the background of a script is started with Ctrl-C ignored, and so would be all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def s3(tmp_path_factory) -> S3:
    """A real S3 server of this machine, for the whole run."""
    yield from serve(tmp_path_factory.mktemp("s3"))
