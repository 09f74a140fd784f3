"""fetch across attempts: what an interrupted one has stored is not asked for again, and the bytes are the same."""

import random
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haulier.errors import AttemptError, SourceChanged, SourceDamaged, SourceTruncated, SourceUnavailable
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


# ---- damage


WRONG = {"Repr-Digest": "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"}


async def test_a_stream_without_version_is_compared_with_its_digest():
    async with serving(always(Reply(200, WRONG, CONTENT))) as origin:
        with pytest.raises(SourceDamaged):
            await content(await prepare(build(origin)))
        assert await content(await prepare(build(origin, verify=False))) == CONTENT


async def test_digests_are_left_out_where_the_rule_says_so():
    async with serving(always(whole(**WRONG))) as origin:
        assert (await prepare(build(origin))).digests == {"sha-256": bytes(32)}
        assert (await prepare(build(origin, verify=False))).digests == {}


async def test_a_content_coding_is_kept_as_it_is_sent():
    async with serving(always(whole(**{"Content-Encoding": "gzip"}))) as origin:
        assert await content(await prepare(build(origin))) == CONTENT


# ---- truncated bodies


CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(200, {}, CONTENT, length=len(CONTENT) + 1), SourceTruncated),
        (Reply(200, {}, CONTENT, length=len(CONTENT) + 1, reset=True), SourceTruncated),
        (Reply(200, CHUNKED, b"5\r\nhello\r\n", length=None), SourceUnavailable),
        (Reply(200, CHUNKED, b"9\r\nhello", length=None), SourceUnavailable),
        (Reply(200, CHUNKED, b"5\r\nhello\r\nxx\r\n", length=None), SourceUnavailable),
        (Reply(200, {}, CONTENT, length=None, reset=True), SourceUnavailable),
        (Reply(200, {"Content-Length": "3"}, b"hello"), SourceUnavailable),
    ],
)
async def test_a_body_that_does_not_end_as_it_should_is_told(reply: Reply, error: type[AttemptError]):
    async with serving(always(reply)) as origin:
        with pytest.raises(error) as caught:
            await content(await prepare(build(origin)))
    assert not caught.value.permanent


async def test_a_lost_end_of_a_chunked_body_does_no_harm_once_the_size_is_known():
    def handle(asked: Asked) -> Reply:
        if asked.start:
            return Reply(416, {"Content-Range": "bytes */5"}, b"no such range")
        return Reply(200, {"ETag": ETAG, **CHUNKED}, b"5\r\nhello\r\n", length=None)

    async with serving(handle) as origin:
        assert await content(await prepare(build(origin))) == b"hello"


# ---- the total deadline


IN_TOTAL = {"fetch_total_timeout_s": 0.25}


@pytest.mark.parametrize("headers", [{}, {"ETag": ETAG}])
async def test_an_origin_that_drips_is_left_in_the_end(headers: dict[str, str]):
    async with serving(always(Reply(200, headers, CONTENT, drip_s=0.01))) as origin:
        with pytest.raises(SourceUnavailable, match=r"it took longer than 0.25 s") as caught:
            await content(await prepare(build(origin, settings=IN_TOTAL)))
    assert not caught.value.permanent


async def test_an_origin_that_drips_its_headers_is_left_in_the_end():
    drip = Reply(200, {f"X-{n}": "y" for n in range(1_000)})
    head = drip.head()
    drip.head = lambda: b""
    drip.body, drip.drip_s = head, 0.01
    async with serving(always(drip)) as origin:
        with pytest.raises(SourceUnavailable, match=r"it took longer than 0.25 s"):
            await prepare(build(origin, settings=IN_TOTAL))


@pytest.mark.parametrize(
    ("rule", "total"), [({"timeout_s": 0.2}, 60.0), ({"timeout_s": 60.0}, 0.2), ({"settings": {}}, 0.2)]
)
async def test_the_shorter_of_setting_and_rule_counts(rule: dict, total: float):
    rule["settings"] = {"fetch_total_timeout_s": total}
    async with serving(always(Reply(200, {}, CONTENT, drip_s=0.01))) as origin:
        with pytest.raises(SourceUnavailable, match=r"it took longer than 0.2 s"):
            await content(await prepare(build(origin, **rule)))


async def test_resumes_end_with_the_deadline():
    async with serving(always(Reply(200, {"ETag": ETAG}, CONTENT, length=len(CONTENT) + 9, stall_s=5.0))) as origin:
        limits = {"fetch_timeout_s": 0.1, "fetch_total_timeout_s": 0.15}
        with pytest.raises(SourceUnavailable, match=r"it took longer than 0.15 s"):
            await content(await prepare(build(origin, settings=limits)))


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
@settings(max_examples=25, deadline=None)
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
