"""Secrets never reach the log, wherever the chunks of a stream end."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipline.runner.trace.masking import Masker


def masked(secrets, chunks, prefixes=()):
    masker = Masker(secrets, prefixes)
    return b"".join([masker.mask(chunk) for chunk in chunks] + [masker.flush()])


def test_a_secret_is_masked_wherever_a_chunk_ends():
    text = b"before s3cret-value after"
    for cut in range(len(text)):
        assert masked(["s3cret-value"], [text[:cut], text[cut:]]) == b"before [MASKED] after"
    assert masked(["s3cret-value"], [bytes([byte]) for byte in text]) == b"before [MASKED] after"


def test_the_longer_of_two_secrets_is_masked_first():
    assert masked(["pass", "password123"], [b"x passw", b"ord123 pass y"]) == b"x [MASKED] [MASKED] y"


def test_what_only_begins_like_a_secret_is_shown_in_the_end():
    assert masked(["s3cret"], [b"s3c", b"ond"]) == b"s3cond"
    assert masked(["s3cret"], [b"the end s3cre"]) == b"the end s3cre"


def test_secrets_are_trimmed_and_empty_ones_ignored():
    assert masked([" token\n", "", "  "], [b"a token b"]) == b"a [MASKED] b"


def test_tokens_are_known_by_their_prefix():
    assert masked([], [b"use glpat-abc", b"DEF_1.2 now\n"]) == b"use glpat-[MASKED] now\n"
    assert masked([], [b"my-tok", b"en-xyz!"], prefixes=["my-token-"]) == b"my-token-[MASKED]!"


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ("GET https://x/?private_token=abc&page=2\n", "GET https://x/?private_token=[MASKED]&page=2\n"),
        ("https://x/?X-AMZ-sigNATure=ff00 end", "https://x/?X-AMZ-sigNATure=[MASKED] end"),
        ("rss_token=shown ?rss_token=!@#$A\"'&x=1", "rss_token=shown ?rss_token=[MASKED]&x=1"),
        ("?x-amz-credential=&private_token=g", "?x-amz-credential=[MASKED]&private_token=[MASKED]"),
        ("?x-amz-credential=abc??private_token=g", "?x-amz-credential=[MASKED]??private_token=[MASKED]"),
        ("?x-amz-credential=abc\bx\n?a=b", "?x-amz-credential=[MASKED]\bx\n?a=b"),
        (
            "?one ?x-amz-security?x-amz-security-token=t =token ?=",
            "?one ?x-amz-security?x-amz-security-token=[MASKED] =token ?=",
        ),
        ("https://x/?private_token", "https://x/?private_token"),
    ],
)
def test_secrets_in_a_query_are_masked_to_their_end(output, shown):
    data = output.encode()
    assert masked([], [data]) == shown.encode()
    assert masked([], [data[at : at + 1] for at in range(len(data))]) == shown.encode()


@given(st.text("ab", min_size=1, max_size=5), st.text("ab ", max_size=40), st.lists(st.integers(0, 40), max_size=6))
def test_chunks_make_no_difference(secret, text, cuts):
    data = text.encode()
    places = sorted(min(cut, len(data)) for cut in cuts)
    chunks = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    assert masked([secret], chunks) == data.replace(secret.encode(), b"[MASKED]")


def test_a_million_lines_are_masked_in_bulk():
    masker = Masker([f"secret-number-{number}" for number in range(20)])
    chunk = b"".join(b"line %d of the log\n" % number for number in range(10_000))
    start = time.process_time()
    for _ in range(100):
        masker.mask(chunk)
    assert time.process_time() - start < 1.5  # a line at a time takes many times as long
