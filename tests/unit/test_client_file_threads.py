"""Files are written in threads, which cannot be stopped: whoever is cancelled waits for them."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from haulier.client import part as part_module
from haulier.client import segments
from haulier.client.file_threads import finished, opened
from haulier.client.segments import SegmentFile
from haulier.client.sinks import PartFile
from tests.waiting import eventually


class Gate:
    """A call that waits in its thread until it is let through."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.through = threading.Event()
        self.ended = False

    def __call__(self) -> str:
        self.entered.set()
        assert self.through.wait(10)
        self.ended = True
        return "made"


@pytest.mark.parametrize("times", [1, 3])
async def test_a_cancelled_call_ends_before_its_caller_goes_on(times: int) -> None:
    gate = Gate()
    task = asyncio.create_task(finished(gate))
    await eventually(gate.entered.is_set)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.01)
    assert not task.done()
    gate.through.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gate.ended


async def test_what_a_call_answers_or_raises_comes_through() -> None:
    assert await finished(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await finished(divmod, 7, 0)


async def test_an_error_after_the_cancel_is_nobody_s() -> None:
    gate = Gate()

    def failing() -> None:
        gate()
        raise OSError

    task = asyncio.create_task(finished(failing))
    await eventually(gate.entered.is_set)
    task.cancel()
    gate.through.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_made_for_a_block_that_is_cancelled_is_closed() -> None:
    gate, closed = Gate(), list[str]()

    async def use() -> None:
        async with opened(gate, close=closed.append):
            raise AssertionError("the block has begun")

    task = asyncio.create_task(use())
    await eventually(gate.entered.is_set)
    task.cancel()
    gate.through.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed == ["made"]


def opening(kind: str, path: Path):
    if kind == "sequential":
        return PartFile.open(path, force=False)
    return SegmentFile.open(path, force=False, etag='"v1"', size=10, sha256=None)


@pytest.mark.parametrize("kind", ["sequential", "segments"])
async def test_a_download_cancelled_while_it_opens_leaves_the_target_free(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, locked = Gate(), part_module.Part._open_locked

    def slowly(part: part_module.Part) -> int:
        fd = locked(part)
        gate()
        return fd

    async def use() -> None:
        async with opening(kind, tmp_path / "r.bin"):
            raise AssertionError("the block has begun")

    with monkeypatch.context() as patched:
        patched.setattr(part_module.Part, "_open_locked", slowly)
        task = asyncio.create_task(use())
        await eventually(gate.entered.is_set)
        task.cancel()
        gate.through.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with opening(kind, tmp_path / "r.bin"):  # not TargetInUse
        pass


async def test_no_write_of_a_cancelled_download_outlives_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, written, pwrite = Gate(), list[bool](), os.pwrite

    def slowly(fd: int, chunk: bytes, offset: int) -> int:
        gate()
        written.append(os.path.samestat(os.fstat(fd), (tmp_path / "r.bin.part").stat()))
        return pwrite(fd, chunk, offset)

    async def use() -> None:
        async with SegmentFile.open(tmp_path / "r.bin", force=False, etag='"v1"', size=10, sha256=None) as file:
            await file.write(b"0123456789", segment=file.missing()[0], offset=0)

    monkeypatch.setattr(segments.os, "pwrite", slowly)
    task = asyncio.create_task(use())
    await eventually(gate.entered.is_set)
    task.cancel()
    await asyncio.sleep(0.05)
    assert not task.done()
    gate.through.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert written == [True]
    assert (tmp_path / "r.bin.part").read_bytes() == b"0123456789"
