"""simulate: time, size, failures."""

import asyncio

import pytest

from haulier.errors import SourceMissing, SourceUnavailable
from haulier.preparers import Stream
from haulier.preparers.simulate import SimulateParams, prepare
from tests.fake_build import FakeBuild, content


async def test_it_gives_exactly_the_bytes_asked_for():
    build = FakeBuild(SimulateParams(seconds=0, size_bytes=3 * 2**20 + 5))
    result = await prepare(build)
    assert isinstance(result, Stream)
    assert result.size == len(await content(result)) == 3 * 2**20 + 5


async def test_zero_seconds_never_yield_to_the_event_loop(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(asyncio, "sleep", None)
    prepared = prepare(FakeBuild(SimulateParams(seconds=0)))
    with pytest.raises(StopIteration):
        prepared.send(None)


async def test_it_reports_its_stages_in_order_while_it_waits():
    build = FakeBuild(SimulateParams(seconds=0.3, size_bytes=1_000, stages=("reading", "writing")))
    await prepare(build)
    stages = [report.stage for report in build.reports]
    assert list(dict.fromkeys(stages)) == ["reading", "writing"]
    assert [report.done for report in build.reports] == sorted(report.done for report in build.reports)


async def test_it_fails_as_many_attempts_as_told_and_then_succeeds():
    params = SimulateParams(seconds=0, fail_attempts=2)
    first = FakeBuild(params)
    with pytest.raises(SourceUnavailable):
        await prepare(first)
    second = FakeBuild(params, checkpoint=first.saved[-1])
    with pytest.raises(SourceUnavailable):
        await prepare(second)
    assert await prepare(FakeBuild(params, checkpoint=second.saved[-1]))


async def test_a_permanent_failure_is_permanent():
    with pytest.raises(SourceMissing) as caught:
        await prepare(FakeBuild(SimulateParams(seconds=0, permanent_failure=True)))
    assert caught.value.permanent
