"""fetch against a real origin that stalls, breaks off, lies and changes."""

import asyncio
import socket

import pytest

from haulier.errors import (
    AttemptError,
    SourceChanged,
    SourceDenied,
    SourceMissing,
    SourceTooLarge,
    SourceTruncated,
    SourceUnavailable,
)
from haulier.preparers import Resumable, Stream, download
from haulier.preparers.fetch import FetchParams, prepare
from haulier.settings import Settings
from tests.fake_build import FakeBuild
from tests.fetching import always, build, content, failed, fetched, whole
from tests.origin import CONTENT, ETAG, Asked, Origin, Reply, serving, versioned

HALF = len(CONTENT) // 2
SHORT = {"fetch_timeout_s": 0.5}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "FIRST_PAUSE_S", 0.001)


async def test_a_file_arrives_as_it_is_with_progress():
    async with serving(always(whole())) as origin:
        job = build(origin)
        result = await prepare(job)
        assert result.size == len(CONTENT)
        assert await content(result) == CONTENT
    assert (job.reports[-1].done, job.reports[-1].total) == (len(CONTENT), len(CONTENT))
    assert origin.asked[0].headers["accept-encoding"] == "identity"
    assert origin.asked[0].headers["host"] == f"127.0.0.1:{origin.port}"


@pytest.mark.parametrize(
    ("path", "headers", "file_name", "content_type"),
    [
        ("/a/b%20c.pdf?token=x", {"Content-Type": "application/pdf"}, "b c.pdf", "application/pdf"),
        ("/x", {"Content-Disposition": 'attachment; filename="a b.txt"'}, "a b.txt", "application/octet-stream"),
        ("/x", {"Content-Disposition": "attachment; filename*=UTF-8''%C3%A9t%C3%A9.txt"}, "été.txt", None),
        ("/x", {"Content-Disposition": 'attachment; filename="../../etc/passwd"'}, "passwd", None),
        ("/", {"Content-Type": "not a type"}, "download", "application/octet-stream"),
        ("/%2e%2e%2f%2e%2e", {}, "download", None),
    ],
)
async def test_name_and_type_come_from_the_origin_made_safe(
    path: str, headers: dict[str, str], file_name: str, content_type: str | None
):
    async with serving(always(whole(**headers))) as origin:
        result = await prepare(build(origin, path))
    assert result.file_name == file_name
    assert content_type in {None, result.content_type}


async def test_the_rules_name_wins():
    async with serving(always(whole())) as origin:
        result = await prepare(build(origin, file_name="mine.bin"))
    assert result.file_name == "mine.bin"


async def test_the_rules_headers_are_sent():
    async with serving(always(whole())) as origin:
        await content(await prepare(build(origin, headers={"Authorization": "Bearer x"})))
    assert origin.asked[0].headers["authorization"] == "Bearer x"


async def test_a_broken_transfer_is_resumed_where_it_ended():
    async with serving(versioned(cut_after=lambda n: 200_000 if n < 5 else None)) as origin:
        assert await content(await prepare(build(origin))) == CONTENT
    assert [asked.start for asked in origin.asked] == [0, 0, 200_000, 400_000, 600_000, 800_000]
    assert {asked.headers["if-range"] for asked in origin.asked[2:]} == {ETAG}


async def test_a_stalled_transfer_is_resumed():
    serve = versioned(cut_after=lambda n: HALF if n < 2 else None)

    def handle(asked: Asked) -> Reply:
        reply = serve(asked)
        reply.stall_s = 60.0 if asked.start == 0 else 0.0
        return reply

    # Longer than a busy machine takes for the answers that do come.
    assert await fetched(handle, settings={"fetch_timeout_s": 3.0}) == CONTENT


async def test_a_transfer_without_length_that_breaks_in_a_chunk_is_resumed():
    serve = versioned(cut_after=lambda n: None)

    def handle(asked: Asked) -> Reply:
        if asked.start:
            return serve(asked)
        body = b"%x\r\n" % HALF + CONTENT[:HALF] + b"\r\n80000\r\nno more"
        return Reply(200, {"ETag": ETAG, "Transfer-Encoding": "chunked"}, body, length=None)

    # what came of the broken chunk counts, and is where the rest starts
    assert len(await fetched(handle)) == len(CONTENT)


async def test_a_resume_that_finds_the_origin_down_tries_again():
    serve = versioned(cut_after=lambda n: HALF if n < 2 else None)
    down = iter([True, True])
    assert await fetched(lambda asked: Reply(503) if asked.start and next(down, False) else serve(asked)) == CONTENT


async def test_resumes_come_to_an_end():
    async with serving(versioned(cut_after=lambda n: 10)) as origin:
        with pytest.raises(SourceTruncated) as caught:
            await content(await prepare(build(origin)))
    assert len(origin.asked) == 2 + download.RESUMES
    assert caught.value.facts["expected"] == len(CONTENT)
    assert not caught.value.permanent


async def test_a_break_before_the_first_byte_starts_again_without_a_validator():
    replies = iter([Reply(200, {}, b"", length=5), Reply(200, {}, b"hello")])
    assert await fetched(lambda asked: next(replies)) == b"hello"


@pytest.mark.parametrize(
    "rest",
    [
        Reply(200, {"ETag": '"v2"'}, CONTENT),
        Reply(200, {"ETag": ETAG}, CONTENT + b"more"),
        Reply(
            206, {"ETag": '"v2"', "Content-Range": f"bytes {HALF}-{len(CONTENT) - 1}/{len(CONTENT)}"}, CONTENT[HALF:]
        ),
        Reply(206, {"ETag": ETAG, "Content-Range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"}, CONTENT),
        Reply(206, {"ETag": ETAG, "Content-Range": f"bytes {HALF}-{len(CONTENT)}/{len(CONTENT) + 1}"}, CONTENT[HALF:]),
        Reply(206, {"ETag": ETAG}, CONTENT[HALF:]),
        Reply(206, {"ETag": ETAG, "Content-Range": f"bytes 1-{len(CONTENT) - 1}/{len(CONTENT)}"}, CONTENT[HALF:]),
        Reply(416),
        Reply(412),
    ],
)
async def test_a_rest_that_does_not_fit_is_a_change_to_be_tried_again(rest: Reply):
    first = Reply(200, {"ETag": ETAG}, CONTENT[:HALF], length=len(CONTENT))
    error = await failed(lambda asked: rest if asked.start else first, SourceChanged)
    assert not error.permanent


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ETag": 'W/"v1"'},
        {"Last-Modified": "Mon, 23 Nov 2026 10:00:05 GMT", "Date": "Mon, 23 Nov 2026 10:00:05 GMT"},
    ],
)
async def test_without_a_strong_validator_a_truncated_body_ends_the_attempt(headers: dict[str, str]):
    async with serving(always(Reply(200, headers, CONTENT[:HALF], length=len(CONTENT)))) as origin:
        with pytest.raises(SourceTruncated) as caught:
            await content(await prepare(build(origin)))
    assert (caught.value.facts["got"], caught.value.facts["expected"]) == (HALF, len(CONTENT))
    assert len(origin.asked) == 1


async def test_a_strong_date_validates_too():
    dates = {"Last-Modified": "Mon, 23 Nov 2026 10:00:05 GMT", "Date": "Mon, 23 Nov 2026 10:00:06 GMT"}
    first = Reply(200, dates, CONTENT[:HALF], length=len(CONTENT))
    rest = Reply(206, {"Content-Range": f"bytes {HALF}-{len(CONTENT) - 1}/{len(CONTENT)}"}, CONTENT[HALF:])
    async with serving(lambda asked: rest if asked.start else first) as origin:
        assert await content(await prepare(build(origin))) == CONTENT
    assert origin.asked[2].headers["if-range"] == dates["Last-Modified"]


async def test_bytes_beyond_the_stated_length_are_not_taken():
    assert await fetched(always(Reply(200, {}, b"hello, and more", length=5))) == b"hello"


@pytest.mark.parametrize(
    ("status", "error", "permanent"),
    [
        (404, SourceMissing, True),
        (410, SourceMissing, True),
        (401, SourceDenied, True),
        (403, SourceDenied, True),
        (408, SourceUnavailable, False),
        (429, SourceUnavailable, False),
        (500, SourceUnavailable, False),
        (503, SourceUnavailable, False),
        (204, SourceUnavailable, False),
        (206, SourceUnavailable, False),
        (416, SourceUnavailable, False),
    ],
)
async def test_an_answer_other_than_ok_is_told_apart(status: int, error: type[AttemptError], permanent: bool):
    raised = await failed(always(Reply(status)), error)
    assert raised.permanent is permanent


async def test_the_origins_wish_to_wait_is_passed_on():
    raised = await failed(always(Reply(503, {"Retry-After": "17"})), SourceUnavailable)
    assert raised.retry_after_s == 17


async def test_an_origin_that_never_answers_times_out():
    raised = await failed(lambda asked: Reply(100, stall_s=5.0, length=None), SourceUnavailable, settings=SHORT)
    assert "no answer within 0.5 s" in raised.detail


@pytest.mark.parametrize("body", [b"not http at all\r\n\r\n", b""])
async def test_an_answer_that_is_not_http_is_told(body: bytes):
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(body)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    origin = Origin(always(Reply()))
    origin.port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(SourceUnavailable, match="not valid HTTP"):
            await prepare(build(origin))


async def test_a_closed_port_is_told():
    origin = Origin(always(Reply()))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        origin.port = taken.getsockname()[1]
        with pytest.raises(SourceUnavailable, match="no connection"):
            await prepare(build(origin))


async def test_a_stated_length_above_the_limit_is_refused_before_a_byte_is_read():
    async with serving(always(whole())) as origin:
        with pytest.raises(SourceTooLarge) as caught:
            await prepare(build(origin, max_bytes=1_000))
    assert (caught.value.permanent, caught.value.facts["limit_bytes"]) == (True, 1_000)


async def test_a_body_without_length_is_stopped_at_the_limit():
    await failed(always(Reply(200, {}, CONTENT, length=None)), SourceTooLarge, settings={"fetch_max_bytes": 1_000})


async def test_a_rule_cannot_raise_the_process_limit():
    await failed(always(whole()), SourceTooLarge, max_bytes=2**30, settings={"fetch_max_bytes": 1_000})


async def test_secrets_of_an_address_are_not_told():
    async with serving(always(Reply(404))) as origin:
        job = FakeBuild(
            FetchParams(url=f"http://user:hunter2@127.0.0.1:{origin.port}/a/b?signature=s3cret"),
            settings=Settings(fetch_allow_private=True),
        )
        with pytest.raises(SourceMissing) as caught:
            await prepare(job)
    assert "127.0.0.1/a/b" in caught.value.detail
    assert "hunter2" not in caught.value.detail
    assert "s3cret" not in caught.value.detail


# ---- closing


ENDLESS = {"length": 2 * len(CONTENT), "stall_s": 5.0}


@pytest.mark.parametrize("headers", [{"ETag": ETAG}, {}])
async def test_closing_early_ends_the_connection(headers: dict[str, str]):
    async with serving(always(Reply(200, headers, CONTENT, **ENDLESS))) as origin:
        result = await prepare(build(origin, settings={"fetch_timeout_s": 5.0}))
        chunks = result.chunks if isinstance(result, Stream) else result.open(None)
        assert await anext(chunks)
        await chunks.aclose()


async def test_closing_a_stream_before_its_first_chunk_ends_the_connection():
    async with serving(always(Reply(200, {}, CONTENT, **ENDLESS))) as origin:
        result = await prepare(build(origin))
        await result.chunks.aclose()


async def test_nothing_is_held_until_a_resumable_is_opened():
    async with serving(always(Reply(200, {"ETag": ETAG}, CONTENT, **ENDLESS))) as origin:
        assert isinstance(await prepare(build(origin)), Resumable)


async def test_cancelling_while_the_origin_is_silent_ends_the_connection():
    async with serving(lambda asked: Reply(100, stall_s=5.0, length=None)) as origin:
        preparing = asyncio.create_task(prepare(build(origin, settings={"fetch_timeout_s": 5.0})))
        while not origin.asked:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        preparing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await preparing
