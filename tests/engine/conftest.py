"""Both stores, for the tests that hold for both."""

import pytest

from shipline.engine.memory_store import MemoryStore
from shipline.engine.sqlite_store import SqliteStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    opened = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "state")
    yield opened
    opened.close()
