"""Compression gives the same bytes for the same bytes, wherever in memory it happens."""

import gzip
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from haulier.preparers import deflating


def packed(content: bytes, *, level: int = 1) -> bytes:
    return deflating.compressed(content, level=level, wrapper=deflating.RAW, end=deflating.NOT_LAST)


def repeating(rng: random.Random) -> bytes:
    """Text whose first bytes come again: what isal notes of them decides about its output."""
    start = rng.randbytes(6).hex()
    return "".join(f"{start}{rng.randbytes(200).hex()}" for _ in range(4)).encode()


@pytest.mark.parametrize("level", [1, 2])  # with so many streams one of them has told every time
def test_the_output_does_not_depend_on_the_compressors_address(level: int):
    rng = random.Random(level)
    contents = [repeating(rng) for _ in range(1_500)]
    expected = [packed(content, level=level) for content in contents]
    moving_the_next_one: list[object] = []
    for _ in range(60):
        moving_the_next_one.append(isal_zlib.compressobj(level, isal_zlib.DEFLATED, -15))
        assert [packed(content, level=level) for content in contents] == expected


@given(content=st.binary(max_size=100) | st.integers(0, 200_000).map(lambda size: (b"%d," % size * size)[:size]))
def test_it_is_deflate(content: bytes):
    whole = deflating.compressed(content, level=2, wrapper=deflating.GZIP, end=deflating.LAST)
    assert gzip.decompress(whole) == content
    assert zlib.decompress(packed(content) + b"\x03\x00", -15) == content
