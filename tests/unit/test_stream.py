from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.core import stream


@given(
    st.lists(st.text(st.sampled_from("a\u2028\u2029\u0085\x0b\x0c\x1c\r \u00e9"), min_size=1), max_size=8),
    st.integers(1, 7),
    st.booleans(),
)
def test_lines_end_at_line_feeds_alone_however_the_stream_is_cut(texts: list[str], size: int, ended: bool) -> None:
    whole = [text.encode() for text in texts]
    data = b"\n".join(whole) + (b"\n" if ended and whole else b"")
    pieces = [data[start : start + size] for start in range(0, len(data), size)]

    assert list(stream.lines(pieces)) == whole


def test_empty_lines_are_no_lines() -> None:
    assert list(stream.lines([b"\n\na\n", b"\n", b"\nb"])) == [b"a", b"b"]


@given(st.lists(st.binary(max_size=400_000), max_size=12))
def test_packing_changes_no_byte(pieces: list[bytes]) -> None:
    blocks = list(stream.packed(pieces))

    assert b"".join(blocks) == b"".join(pieces)
    assert all(len(block) >= stream.BLOCK for block in blocks[:-1])


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_blocks_that_come_and_go_stay_with_the_process() -> None:
    program = """if True:
        import resource
        from batchdrop.core.stream import BLOCK
        def faults():
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        before = faults()
        for _ in range(100):
            blocks = [b"x" * BLOCK for _ in range(3)]
            del blocks
        print(faults() - before)
    """
    command = [sys.executable, "-c", program]
    path = {"PYTHONPATH": ":".join(sys.path)}
    faults = subprocess.run(command, check=True, capture_output=True, text=True, env=path).stdout
    assert int(faults) < 10 * 3 * 64, "each page of each block faulted anew"
