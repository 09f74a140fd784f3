"""fetch across attempts: what an interrupted one has stored is not asked for again, and the bytes are the same."""

import random
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haulier.errors import AttemptError, SourceChanged, SourceTruncated
from haulier.preparers import Input, Mark, Resumable, Stream, download, fetch, streams
from haulier.preparers.fetch import FetchParams, prepare
from tests.fetching import always, build, content, pieces, whole
from tests.origin import CONTENT, ETAG, Asked, Handler, Origin, Reply, serving, versioned

LARGE = random.Random(4).randbytes(8 * 2**20)
SLACK = 2**20  # what the system's buffers of one connection may have taken


@pytest.fixture(autouse=True, scope="module")
def no_pauses():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(download, "FIRST_PAUSE_S", 0.0)
        yield


def joined(found: list[bytes | Mark]) -> bytes:
    return b"".join(piece for piece in found if isinstance(piece, bytes))


async def test_the_version_is_known_before_a_byte_is_read():
    async with serving(always(whole(**{"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}))) as origin:
        result = await prepare(build(origin, "/a/b?token=secret"))
    assert isinstance(result, Resumable)
    assert result.inputs == (
        Input(f"127.0.0.1:{origin.port}/a/b?{sha256(b'token=secret').hexdigest()[:16]}", ETAG, len(CONTENT)),
    )
    assert (result.size, result.digests) == (len(CONTENT), {"md5": bytes(16)})


async def test_an_input_names_no_credentials():
    async with serving(always(whole())) as origin:
        job = build(origin)
        url = f"http://user:hunter2@127.0.0.1:{origin.port}/a?signature=s3cret"
        job.params = FetchParams(url=url)
        name = (await prepare(job)).inputs[0].name
    assert name.startswith(f"127.0.0.1:{origin.port}/a?")
    assert not any(secret in name for secret in ("user", "hunter2", "s3cret"))


async def test_two_queries_are_two_inputs():
    async with serving(always(whole())) as origin:
        results = [await prepare(build(origin, path)) for path in ("/a?b=1", "/a?b=2", "/a")]
    assert len({result.inputs[0].name for result in results}) == 3


async def test_a_stopped_fetch_continues_from_its_last_mark_in_another_attempt():
    async with serving(versioned(LARGE)) as origin:
        first = await pieces(await prepare(build(origin)), marks=5)
        mark = first[-1]
        rest = await pieces(await prepare(build(origin)), mark=mark)
    assert joined(first) + joined(rest) == LARGE
    assert mark.state == {"offset": len(joined(first)), "validator": ETAG, "size": len(LARGE)}
    assert [asked.start for asked in origin.asked] == [0, 0, 0, mark.state["offset"]]
    assert origin.asked[-1].headers["if-range"] == ETAG
    assert origin.served < len(LARGE) + 3 * SLACK


async def test_marks_come_about_every_mib():
    async with serving(versioned(LARGE)) as origin:
        marks = [piece for piece in await pieces(await prepare(build(origin))) if isinstance(piece, Mark)]
    offsets = [0] + [mark.state["offset"] for mark in marks]
    assert all(2**20 <= after - before < 2 * 2**20 for before, after in pairwise(offsets))
    assert len(marks) >= 4


async def test_progress_goes_on_where_the_attempt_before_ended():
    async with serving(versioned(LARGE)) as origin:
        mark = (await pieces(await prepare(build(origin)), marks=2))[-1]
        again = build(origin)
        await content(await prepare(again), mark=mark)
    after_the_question = [report.done for report in again.reports if report.done]
    assert after_the_question[0] == mark.state["offset"]


async def test_an_origin_without_ranges_is_read_again_up_to_the_mark():
    async with serving(versioned(LARGE, ranged=lambda n: False)) as origin:
        first = await pieces(await prepare(build(origin)), marks=2)
        rest = await pieces(await prepare(build(origin)), mark=first[-1])
    assert joined(first) + joined(rest) == LARGE


async def test_the_whole_again_that_ends_before_the_mark_is_truncated():
    serve = versioned(LARGE)
    async with serving(serve) as origin:
        mark = (await pieces(await prepare(build(origin)), marks=2))[-1]
        origin.handler = lambda asked: Reply(200, {"ETag": ETAG}, LARGE[:1000] if asked.start else LARGE, length=None)
        mark = Mark({**mark.state, "size": None})
        with pytest.raises(SourceTruncated) as caught:
            await content(await prepare(build(origin)), mark=mark)
    assert caught.value.facts == {
        "name": "127.0.0.1/file.bin",
        "got": 1000,
        "expected": mark.state["offset"],
    }


@pytest.mark.parametrize("size", [len(LARGE), None])
async def test_a_mark_behind_the_last_byte_has_nothing_to_follow(size: int | None):
    def handle(asked: Asked) -> Reply:
        if asked.start:
            return Reply(416, {"Content-Range": f"bytes */{len(LARGE)}"}, b"no such range")
        return Reply(200, {"ETag": ETAG}, LARGE, length=size)

    async with serving(handle) as origin:
        mark = Mark({"offset": len(LARGE), "validator": ETAG, "size": size})
        assert await content(await prepare(build(origin)), mark=mark) == b""


async def test_a_chunked_file_without_length_continues_too():
    def handle(asked: Asked) -> Reply:
        if asked.start:
            return versioned(LARGE)(asked)
        body = b"".join(b"10000\r\n" + LARGE[at : at + 2**16] + b"\r\n" for at in range(0, len(LARGE), 2**16))
        return Reply(200, {"ETag": ETAG, "Transfer-Encoding": "chunked"}, body + b"0\r\n\r\n", length=None)

    async with serving(handle) as origin:
        first = await pieces(await prepare(build(origin)), marks=3)
        rest = await pieces(await prepare(build(origin)), mark=first[-1])
    assert joined(first) + joined(rest) == LARGE


async def test_another_version_between_attempts_is_a_change():
    async with serving(versioned(LARGE)) as origin:
        mark = (await pieces(await prepare(build(origin)), marks=1))[-1]
        origin.handler = versioned(LARGE, etag='"v2"')
        with pytest.raises(SourceChanged):
            await content(await prepare(build(origin)), mark=mark)


async def test_another_version_between_question_and_bytes_is_a_change():
    async with serving(versioned(LARGE)) as origin:
        job = build(origin)
        result = await prepare(job)
        origin.handler = versioned(LARGE, etag='"v2"')
        with pytest.raises(SourceChanged) as caught:
            await content(result)
    assert not caught.value.permanent


async def test_an_origin_with_another_version_in_each_answer_is_asked_once_by_the_next_attempt():
    def handle(asked: Asked) -> Reply:
        return Reply(200, {"ETag": f'"{len(origin.asked)}"'}, CONTENT)

    async with serving(handle) as origin:
        job = build(origin)
        with pytest.raises(SourceChanged):
            await content(await prepare(job))
        job.checkpoint = job.saved[-1]
        result = await prepare(job)
        assert isinstance(result, Stream)
        assert result.inputs is None
        assert await content(result) == CONTENT


async def test_an_origin_that_names_no_version_is_asked_once():
    async with serving(always(Reply(200, {}, CONTENT))) as origin:
        result = await prepare(build(origin))
        assert isinstance(result, Stream)
        assert result.inputs is None
        assert await content(result) == CONTENT
    assert len(origin.asked) == 1


# ---- any cuts


ATTEMPTS = st.lists(
    st.tuples(
        st.lists(st.integers(0, len(CONTENT)), max_size=download.RESUMES + 2),  # where its answers break off
        st.lists(st.booleans(), max_size=3),  # whether they are ranges
        st.integers(1, 20),  # the mark after which the worker is killed
    ),
    max_size=4,
)


@given(ATTEMPTS)
@settings(max_examples=25)
async def test_whatever_is_cut_where_the_bytes_are_those_of_an_uninterrupted_transfer(attempts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "MARK_BYTES", 1)
        patch.setattr(streams, "PIECE_BYTES", 50_000)
        async with serving(versioned()) as origin:
            stored, mark = b"", None
            for cuts, ranges, marks in attempts:
                origin.handler = cutting(cuts, ranges)
                more, mark = await attempt(origin, mark, marks=marks)
                stored += more
            origin.handler = versioned()
            assert stored + await content(await prepare(build(origin)), mark=mark) == CONTENT


def cutting(cuts: list[int], ranges: list[bool]) -> Handler:
    return versioned(
        cut_after=lambda n: cuts[n] if n < len(cuts) else None, ranged=lambda n: ranges[n] if n < len(ranges) else True
    )


async def attempt(origin: Origin, mark: Mark | None, *, marks: int) -> tuple[bytes, Mark | None]:
    """What a worker has stored at the last mark of an attempt that may fail."""
    found: list[bytes | Mark] = []
    result = await prepare(build(origin))
    stream = result.open(mark)
    try:
        async for piece in stream:
            found.append(piece)
            if sum(isinstance(piece, Mark) for piece in found) == marks:
                break
    except AttemptError:
        pass
    finally:
        await stream.aclose()
    while found and not isinstance(found[-1], Mark):
        found.pop()
    return joined(found), found[-1] if found else mark
