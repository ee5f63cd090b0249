from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.core import limits
from batchdrop.core.errors import Rejected
from batchdrop.core.inflate import inflate


def unpack(data: bytes, size: int = 1 << 16) -> bytes:
    return b"".join(inflate(data[at : at + size] for at in range(0, len(data), size)))


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=4), st.integers(1, 40), st.integers(0, 3))
def test_members_follow_each_other_whatever_the_blocks(parts: list[bytes], size: int, padding: int) -> None:
    data = (b"\0" * padding).join(map(gzip.compress, parts)) + b"\0" * padding
    assert unpack(data, size) == b"".join(parts)


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-5] + b"\0" + data[-4:],
        lambda data: data + b"x",
        lambda data: data + b"\x1f",
        lambda data: data + b"\x1f\x8b",
        lambda data: data[:20] + b"\xff\xff\xff" + data[23:],
    ],
)
def test_damage_of_any_kind_is_found(damage: Callable[[bytes], bytes], size: int) -> None:
    data = damage(gzip.compress(bytes(range(256)) * 40))
    with pytest.raises(Rejected) as refused:
        unpack(data, size)
    assert refused.value.code == "corrupt_gzip"


def test_a_bomb_is_stopped_before_it_is_large() -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(300)), packer.flush()])
    sizes: list[int] = []
    with pytest.raises(Rejected) as refused:
        sizes.extend(map(len, inflate([bomb])))
    assert refused.value.code == "gzip_bomb"
    assert max(sizes) <= 1 << 20
    assert sum(sizes) <= limits.GZIP_FREE_BYTES


def test_what_packs_well_but_is_small_is_no_bomb() -> None:
    data = b"x" * 50_000_000
    assert sum(map(len, inflate([gzip.compress(data)]))) == len(data)
