"""fetch from origins that send something other than they say, or take for ever to send it."""

import pytest

from haulier.errors import AttemptError, SourceDamaged, SourceTruncated, SourceUnavailable
from haulier.preparers import download
from haulier.preparers.fetch import prepare
from tests.fetching import always, build, content, whole
from tests.origin import CONTENT, ETAG, Asked, Reply, serving


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "FIRST_PAUSE_S", 0.0)


# ---- digests


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


async def test_resumes_end_with_the_deadline(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(download, "FIRST_PAUSE_S", 60.0)
    async with serving(always(Reply(200, {"ETag": ETAG}, CONTENT, length=len(CONTENT) + 9))) as origin:
        with pytest.raises(SourceUnavailable, match=r"it took longer than 0.25 s"):
            await content(await prepare(build(origin, settings=IN_TOTAL)))
