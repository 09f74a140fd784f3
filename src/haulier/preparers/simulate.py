"""`simulate`: waits and makes up bytes, for demos and load tests. The only place where sleep stands for work."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated

import msgspec
from msgspec import Meta

from haulier.errors import SourceMissing, SourceUnavailable
from haulier.preparers.port import Build, Preparer, Result, Stream

STEP_S = 0.1
CHUNK = bytes(range(256)) * 4096  # 1 MiB


class SimulateParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to simulate."""

    seconds: Annotated[float, Meta(description="Time to wait before the bytes come.", ge=0, le=86_400)] = 5.0
    size_bytes: Annotated[int, Meta(description="Size of the file.", ge=0)] = 1024
    fail_attempts: Annotated[
        int, Meta(description="Attempts that fail half-way with a transient error before one succeeds.", ge=0)
    ] = 0
    permanent_failure: Annotated[bool, Meta(description="Fail half-way with a permanent error.")] = False
    stages: Annotated[
        tuple[str, ...], Meta(description="Stages shown one after the other, each for an equal time.", min_length=1)
    ] = ("simulating",)


async def prepare(build: Build) -> Result:
    """`size_bytes` bytes after `seconds`; with 0 seconds without a single sleep."""
    params: SimulateParams = build.params
    failures = (build.checkpoint or {}).get("failures", 0)
    fails = params.permanent_failure or failures < params.fail_attempts
    if params.seconds:
        await _wait(build, params, until=0.5 if fails else 1.0)
    if params.permanent_failure:
        raise SourceMissing(name="the simulated source")
    if fails:
        await build.save({"failures": failures + 1})
        raise SourceUnavailable(name="the simulated source", reason=f"simulated failure {failures + 1}")
    return Stream(
        file_name=build.file_name or "simulated.bin", chunks=_bytes(params.size_bytes), size=params.size_bytes
    )


async def _wait(build: Build, params: SimulateParams, *, until: float) -> None:
    """Sleep the share `until` of the time, reporting the same share of the bytes as done."""
    clock = asyncio.get_running_loop().time
    start = clock()
    while (share := min((clock() - start) / params.seconds, 1.0)) < until:
        stage = params.stages[int(share * len(params.stages))]
        build.report(done=int(share * params.size_bytes), total=params.size_bytes, stage=stage)
        await asyncio.sleep(min(STEP_S, (until - share) * params.seconds))


async def _bytes(size: int) -> AsyncGenerator[bytes, None]:
    for start in range(0, size, len(CHUNK)):
        yield CHUNK[: size - start]


PREPARER = Preparer(
    name="simulate",
    params=SimulateParams,
    prepare=prepare,
    description="Waits and makes up bytes; for demonstrations and load tests.",
)
