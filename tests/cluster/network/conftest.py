"""One cluster for all tests of the network."""

from collections.abc import Iterator

import pytest
from tests.cluster.live import Live, running


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with running(tmp_path_factory.mktemp("home")) as cluster:
        yield cluster
