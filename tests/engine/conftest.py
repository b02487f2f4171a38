"""Both stores, for the tests that hold for both, and pipelines in them with a clock that a test sets."""

import pytest

from shipline.engine.memory_store import MemoryStore
from shipline.engine.pipelines import Pipelines
from shipline.engine.sqlite_store import SqliteStore


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    opened = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "state")
    yield opened
    opened.close()


@pytest.fixture
def pipelines(store):
    """Pipelines for which it is the time that `pipelines.clock.now` says."""
    return Pipelines(store, Clock())
