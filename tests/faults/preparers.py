"""Preparers that only fault tests have: long, stubborn and deadly ones. Their files can be told from their numbers."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from haulier.preparers import Build, Preparer, Result, Stream
from tests.waiting import eventually

PIECE = 64 * 1024
HELD_S = 300  # longer than any test


class Steps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`steps` of `step_s` seconds, then `size` bytes. Each step is noted in `diary`."""

    diary: str
    steps: int = 5
    step_s: float = 0.1
    size: int = 100_000


def released(diary: Path) -> Path:
    """The file that lets held jobs end, once it is there."""
    return diary.with_suffix(".released")


def content_of(file_id: int, size: int) -> bytes:
    """The bytes of a file: different for every number."""
    pattern = f"{file_id:09}\n".encode()
    return (pattern * (size // len(pattern) + 1))[:size]


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]


def _note(params: Steps, line: str) -> None:
    with Path(params.diary).open("a") as diary:
        diary.write(f"{line}\n")


async def _steps(build: Build) -> Result:
    """Goes on after the last saved step."""
    params: Steps = build.params
    file_id = build.request.file_id
    done = (build.checkpoint or {}).get("done", 0)
    for step in range(done, params.steps):
        build.report(done=step, total=params.steps, stage="stepping")
        await asyncio.sleep(params.step_s)
        _note(params, f"{file_id} {step}")
        await build.save({"done": step + 1})
    content = content_of(file_id, params.size)
    return Stream(file_name=f"{file_id}.bin", chunks=_pieces(content), size=len(content))


async def _held(build: Build) -> Result:
    """Takes its steps and waits until the test releases it; says in the diary when it was stopped, or has ended."""
    params: Steps = build.params
    try:
        result = await _steps(build)
        await eventually(released(Path(params.diary)).exists, within_s=HELD_S)
        return result
    finally:
        _note(params, f"{build.request.file_id} ended")


async def _poison(_: Build) -> Result:
    """Takes its whole process down."""
    await asyncio.sleep(0.3)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


async def _busy(build: Build) -> Result:
    """Computes in a thread and never looks at anything but its own progress; says in the diary when it was stopped."""
    params: Steps = build.params

    def compute() -> None:
        try:
            for step in range(params.steps):
                end = time.monotonic() + params.step_s
                while time.monotonic() < end:
                    sum(range(1_000))
                build.report(done=step, total=params.steps, stage="computing")
        finally:
            _note(params, f"{build.request.file_id} ended")

    await asyncio.to_thread(compute)
    content = content_of(build.request.file_id, params.size)
    return Stream(file_name="busy.bin", chunks=_pieces(content), size=len(content))


PREPARERS = (
    Preparer(name="steps", params=Steps, prepare=_steps),
    Preparer(name="held", params=Steps, prepare=_held),
    Preparer(name="poison", params=Steps, prepare=_poison),
    Preparer(name="busy", params=Steps, prepare=_busy),
)

# Files by number: who makes them, and how long they are.
QUICK, SLOW, BIG, BUSY, POISON, HELD = 100_000, 200_000, 300_000, 400_000, 500_000, 600_000
SIZES = {QUICK: 10_000, SLOW: 10_000, HELD: 10_000, BIG: 5_000_000, BUSY: 10_000}


def expected_content(file_id: int) -> bytes:
    """What the artefact of a file must be."""
    return content_of(file_id, SIZES[file_id // 100_000 * 100_000])


def catalogue(diary: Path) -> str:
    """The rules of a fleet, as TOML."""

    def rule(first: int, preparer: str, **params: object) -> str:
        known: dict[str, object] = {"diary": str(diary), **params}
        lines = "\n".join(f"{name} = {value!r}".replace("'", '"') for name, value in known.items())
        return f'[[rule]]\nids = "{first}-{first + 99_999}"\npreparer = "{preparer}"\n[rule.params]\n{lines}\n'

    return "\n".join(
        [
            rule(QUICK, "steps", steps=0, size=SIZES[QUICK]),
            rule(SLOW, "steps", steps=8, step_s=0.25, size=SIZES[SLOW]),
            rule(BIG, "steps", steps=0, size=SIZES[BIG]),
            rule(BUSY, "busy", steps=400, step_s=0.25, size=SIZES[BUSY]),
            rule(POISON, "poison"),
            rule(HELD, "held", steps=8, step_s=0.25, size=SIZES[HELD]),
        ]
    )
