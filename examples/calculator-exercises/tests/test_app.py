"""The application, asked over HTTP as its users ask it."""

import json
from threading import Thread
from urllib.request import Request, urlopen

import pytest
from werkzeug.serving import make_server

from app import app


@pytest.fixture(scope="module")
def address():
    server = make_server("127.0.0.1", 0, app)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()


def test_home_tells_the_version(address):
    with urlopen(f"{address}/") as answer:
        assert json.load(answer) == {"message": "Calculator API", "version": "1.1"}


@pytest.mark.parametrize("a, b, result", [(10, 5, 15), (-1, 1, 0), (0.5, 0.25, 0.75)])
def test_add(address, a, b, result):
    question = Request(f"{address}/add", json.dumps({"a": a, "b": b}).encode(), {"Content-Type": "application/json"})
    with urlopen(question) as answer:
        assert json.load(answer) == {"result": result}
