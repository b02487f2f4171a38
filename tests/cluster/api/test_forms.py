"""Wire forms, both ways: protobuf, SPDY, quantities, selectors, YAML, decoded JSON."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shipline.cluster.api import protobuf, spdy
from shipline.cluster.api.decoding import Decoder, DecodingError
from shipline.cluster.api.errors import ApiError
from shipline.cluster.api.machinery import Api
from shipline.cluster.api.quantities import QuantityError, canonical, value
from shipline.cluster.api.schema import component
from shipline.cluster.api.selectors import SelectorError, fields, labels
from shipline.cluster.api.yamltext import dump

POD = {
    "metadata": {"name": "p", "labels": {"a": "b"}},
    "spec": {
        "containers": [
            {
                "name": "c",
                "image": "busybox",
                "env": [
                    {"name": "EMPTY"},
                    {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                ],
                "resources": {"limits": {"cpu": "0.5", "memory": "1Gi"}},
                "livenessProbe": {"httpGet": {"port": "web"}, "initialDelaySeconds": 3},
                "securityContext": {"privileged": False, "runAsUser": 0},
            }
        ],
        "volumes": [{"name": "v", "secret": {"secretName": "s", "optional": False}}],
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
    },
}


@pytest.fixture
def api() -> Api:
    api = Api()
    api.create("namespaces", None, {"metadata": {"name": "default"}})
    api.create("serviceaccounts", "default", {"metadata": {"name": "default"}})
    return api


def test_an_object_survives_protobuf(api: Api) -> None:
    pod = api.create("pods", "default", POD)
    again = protobuf.read(protobuf.write("v1", "Pod", pod))
    assert Decoder().object(component("v1", "Pod") or "", again) == pod


def test_bytes_of_a_secret_survive_protobuf(api: Api) -> None:
    secret = api.create("secrets", "default", {"metadata": {"name": "s"}, "stringData": {"k": "p@ss wörd"}})
    assert protobuf.read(protobuf.write("v1", "Secret", secret))["data"] == secret["data"]


def test_what_was_said_is_kept_and_what_is_empty_is_not(api: Api) -> None:
    pod = api.create("pods", "default", POD)
    container = pod["spec"]["containers"][0]
    assert container["securityContext"] == {"privileged": False, "runAsUser": 0}
    assert container["env"][0] == {"name": "EMPTY"}
    assert pod["spec"]["terminationGracePeriodSeconds"] == 0
    assert container["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"containers": "none"},
            "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            {"hostNetwork": "yes"},
            "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool",
        ),
        (
            {"containers": [{"resources": {"limits": {"cpu": "lots"}}}]},
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
    ],
)
def test_values_of_a_wrong_type(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(DecodingError) as error:
        Decoder().object(component("v1", "Pod") or "", {"spec": spec})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1e3", "1e3"),
        ("100M", "100M"),
        ("0", "0"),
        ("0.1Ki", "102400m"),
        ("900Gi", "900Gi"),
        ("-1", "-1"),
    ],
)
def test_quantities_have_one_form(said: str, stored: str) -> None:
    assert canonical(said) == stored


@given(st.integers(-(10**15), 10**15), st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi"]))
def test_that_form_is_the_same_amount(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    assert value(canonical(text)) == value(text)
    assert canonical(canonical(text)) == canonical(text)


@pytest.mark.parametrize("text", ["", "lots", "1x", "1 Gi", "Gi", "1.2.3", "--1"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(QuantityError):
        canonical(text)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("tier=front", True),
        ("tier==front,!missing", True),
        ("tier!=front", False),
        ("tier in (front,back)", True),
        ("tier notin (back)", True),
        ("missing notin (x)", True),
        ("empty=", True),
        ("tier", True),
        ("count>1,count<3", True),
    ],
)
def test_label_selectors(text: str, matches: bool) -> None:
    obj = {"metadata": {"labels": {"tier": "front", "empty": "", "count": "2"}}}
    assert labels(text)(obj) is matches


@pytest.mark.parametrize("text", ["tier=,,", "=a", "a b", "a in b", "a in (b", "-x=y", "a=b=c"])
def test_label_selectors_that_cannot_be_read(text: str) -> None:
    with pytest.raises(SelectorError):
        labels(text)


def test_field_selectors() -> None:
    known = {"status.phase": ("status.phase",), "spec.hostNetwork": ("spec.hostNetwork",)}
    pod = {"status": {"phase": "Running"}}
    assert fields("status.phase=Running,status.phase!=Failed", known)(pod)
    assert fields("spec.hostNetwork=false", known, {"spec.hostNetwork": "false"})(pod)
    with pytest.raises(SelectorError, match="not a known field selector"):
        fields("data.mode=x", known)


@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(1, 40))
def test_spdy_frames_in_any_pieces(chunks: list[bytes], size: int) -> None:
    writer = spdy.Writer()
    sent = b"".join([writer.reply(1), *(writer.data(3, chunk) for chunk in chunks), writer.data(3, b"", end=True)])
    reader, frames = spdy.Reader(), []
    for start in range(0, len(sent), size):
        frames += list(reader.feed(sent[start : start + size]))
    assert (frames[0].kind, frames[0].headers) == (spdy.SYN_REPLY, {})
    assert [frame.payload for frame in frames[1:-1]] == chunks
    assert frames[-1].ends


@given(st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.booleans() | st.none()))
def test_yaml_reads_back(value: dict[str, Any]) -> None:
    assert yaml.safe_load(dump(value)) == json.loads(json.dumps(value))


def test_yaml_quotes_what_others_misread() -> None:
    assert dump({"n": "1", "when": "yes", "text": "plain"}) == '"n": "1"\ntext: plain\nwhen: "yes"\n'


@given(st.binary(max_size=200), st.integers(0, 400))
def test_damaged_protobuf_is_refused_and_nothing_else(noise: bytes, place: int) -> None:
    good = protobuf.write("v1", "Pod", {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}})
    damaged = good[:place] + noise + good[place + len(noise) :]
    try:
        protobuf.read(damaged)
    except ApiError as refusal:
        assert refusal.status_code == 400
