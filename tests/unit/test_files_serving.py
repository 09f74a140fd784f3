"""Signed links of a folder or memory store, as a client sees them."""

import asyncio
import hashlib
from base64 import b64encode
from datetime import timedelta
from uuid import UUID

import httpx
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from haulier.api.files import PATH, ServeFile
from haulier.errors import HaulierError, SourceTruncated, StorageUnavailable
from haulier.job import Artefact
from haulier.settings import Secret, Settings
from haulier.storage import open_storage
from tests.clocks import MORNING, HandClock

WHOLE = bytes(range(256)) * 10_000  # 2.44 MiB: several chunks
NAME = 'ünï "côdé"; 日本.zip'
JOB = UUID("019aa0c0-0000-7000-8000-000000000001")
OTHER_JOB = UUID("019aa0c0-0000-7000-8000-000000000002")
KEY = f"artifacts/{JOB}/1/file.zip"


class Shelf:
    """One artefact in a memory store, and a client of the app that serves it."""

    def __init__(self) -> None:
        self.clock = HandClock(MORNING + timedelta(seconds=5))
        settings = Settings(storage_url=Secret("memory:"), url_secret=Secret("s" * 32), public_url="http://test")
        self.storage = open_storage(settings, clock=self.clock)
        self.expired = False
        self.artefact = Artefact(KEY, NAME, "application/zip", 0, "")
        self.serve = ServeFile(find=self.find, storage=self.storage, signer=self.storage.signer)
        app = Starlette(routes=[Route(PATH, self.serve)], exception_handlers={HaulierError: problem})
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")

    async def find(self, job_id: UUID, /) -> tuple[Artefact, bool] | None:
        return (self.artefact, self.expired) if job_id == JOB else None

    async def put(self, content: bytes, **facts) -> None:
        async def chunks():
            yield content

        written = await self.storage.write(KEY, chunks(), file_name=NAME, content_type="application/zip")
        known = {"size": written.size, "sha256": written.sha256, "etag": written.etag}
        self.artefact = msgspec.structs.replace(self.artefact, **known | facts)

    async def url(self, *, job_id: UUID = JOB) -> str:
        return (await self.storage.sign(self.artefact, job_id=str(job_id), expires_s=60)).url

    async def get(self, method: str = "GET", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(method, await self.url(), headers=named)


def digest_of(content: bytes) -> str:
    """The field of RFC 9530."""
    return f"sha-256=:{b64encode(hashlib.sha256(content).digest()).decode()}:"


def problem(_, error: HaulierError) -> JSONResponse:
    return JSONResponse({"code": error.code}, error.status)


@pytest.fixture
async def shelf():
    shelf = Shelf()
    await shelf.put(WHOLE)
    async with shelf.client:
        yield shelf


async def test_a_link_serves_the_whole_file_with_its_headers(shelf):
    answer = await shelf.get()

    assert (answer.status_code, answer.content) == (200, WHOLE)
    wanted = {
        "content-length": str(len(WHOLE)),
        "content-type": "application/zip",
        "accept-ranges": "bytes",
        "cache-control": "private, no-store",
        "etag": shelf.artefact.etag,
        "repr-digest": digest_of(WHOLE),
    }
    assert wanted.items() <= dict(answer.headers).items()
    assert answer.headers["content-disposition"].endswith("%E6%97%A5%E6%9C%AC.zip")
    assert answer.headers["last-modified"].endswith("GMT")


async def test_head_tells_the_same_without_the_bytes(shelf):
    whole, head = await shelf.get(), await shelf.get("HEAD", range="bytes=0-1")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == whole.headers


async def test_a_range_serves_a_part_with_the_digest_of_the_whole(shelf):
    answer = await shelf.get(range="bytes=1000000-2000000", if_range=shelf.artefact.etag)

    assert (answer.status_code, answer.content) == (206, WHOLE[1_000_000:2_000_001])
    assert answer.headers["content-range"] == f"bytes 1000000-2000000/{len(WHOLE)}"
    assert answer.headers["content-length"] == "1000001"
    assert answer.headers["repr-digest"] == digest_of(WHOLE)


@pytest.mark.parametrize("span", ["bytes=0-0", "bytes=-1", f"bytes={len(WHOLE) - 1}-", f"bytes=0-{len(WHOLE)}"])
async def test_every_range_carries_the_digest_of_the_whole_whatever_is_wanted(shelf, span):
    answer = await shelf.get(range=span, want_repr_digest="sha-512=10, sha-256=0")

    assert answer.status_code == 206
    assert answer.headers["repr-digest"] == digest_of(WHOLE)
    assert "content-digest" not in answer.headers


async def test_several_ranges_or_another_version_get_the_whole(shelf):
    assert (await shelf.get(range="bytes=0-1,3-4")).status_code == 200
    assert (await shelf.get(range="bytes=0-1", if_range='"other"')).content == WHOLE


async def test_a_range_behind_the_end_is_416(shelf):
    assert (await shelf.get(range=f"bytes={len(WHOLE)}-")).status_code == 416


async def test_a_version_that_the_client_has_is_304(shelf):
    answer = await shelf.get(if_none_match=shelf.artefact.etag)

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == shelf.artefact.etag


async def test_a_version_that_is_gone_is_412(shelf):
    answer = await shelf.get(if_match='"other"', range="bytes=0-1")

    assert (answer.status_code, answer.content) == (412, b"")


async def test_an_empty_file_is_served(shelf):
    await shelf.put(b"")

    answer = await shelf.get()

    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")
    assert (await shelf.get(range="bytes=0-")).status_code == 416


async def test_other_methods_are_refused(shelf):
    assert (await shelf.get("POST")).json() == {"code": "method_not_allowed"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("signature=", "signature=A"),
        ("expires=1", "expires=2"),
        ("expires=", "expires=0&expires="),
        ("signature=", "signature=x&signature="),
        ("&signature", "&signaturf"),
        ("?", "?a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&"),
        (str(JOB), "not-a-job"),
        (str(JOB), str(OTHER_JOB)),
    ],
)
async def test_an_altered_link_is_403(shelf, before, after):
    url = await shelf.url()

    answer = await shelf.client.get(url.replace(before, after))

    assert before in url
    assert (answer.status_code, answer.json()) == (403, {"code": "bad_signature"})


async def test_a_link_that_has_run_out_is_403(shelf):
    url = await shelf.url()
    shelf.clock.passed_s += 60

    assert (await shelf.client.get(url)).json() == {"code": "bad_signature"}


async def test_an_expired_artefact_is_410_for_its_owner_and_403_for_others(shelf):
    url = await shelf.url()
    shelf.expired = True

    assert (await shelf.client.get(url)).json() == {"code": "artefact_expired"}
    assert (await shelf.client.get(url.replace("signature=", "signature=x"))).json() == {"code": "bad_signature"}


async def test_a_link_that_ended_with_its_artefact_says_so(shelf):
    url = await shelf.url()
    shelf.expired = True
    shelf.clock.passed_s += 3_600

    assert (await shelf.client.get(url)).json() == {"code": "artefact_expired"}


async def test_an_object_that_is_gone_is_410(shelf):
    await shelf.storage.delete([KEY])

    assert (await shelf.get()).json() == {"code": "artefact_expired"}


async def test_a_replaced_object_is_served_as_it_is_now_without_the_old_digest(shelf):
    await shelf.put(b"new", etag=shelf.artefact.etag, sha256=shelf.artefact.sha256)

    answer = await shelf.get()

    assert answer.content == b"new"
    assert "repr-digest" not in answer.headers


async def test_a_range_of_a_replaced_object_is_refused_unless_it_says_of_which(shelf):
    old = shelf.artefact.etag
    await shelf.put(b"new", etag=old)

    assert (await shelf.get(range="bytes=1-")).json() == {"code": "artefact_replaced"}
    assert (await shelf.get(range="bytes=1-", if_range=old)).content == b"new"


async def test_a_hostile_name_and_type_stay_inside_their_headers(shelf):
    await shelf.put(b"x", file_name="a\r\nX-Evil: 1\ud800", content_type="text/html\r\nX-Evil: 1")

    answer = await shelf.get()

    assert answer.status_code == 200
    assert "x-evil" not in answer.headers
    assert answer.headers["content-type"] == "application/octet-stream"


async def test_a_store_that_hangs_up_is_asked_for_the_rest(shelf):
    read, starts = shelf.storage.read, []

    async def breaking(key, *, start, end, etag):
        starts.append(start)
        async for chunk in read(key, start=start, end=end, etag=etag):
            yield chunk
            raise SourceTruncated(name=key, got=len(chunk), expected=end - start)

    shelf.storage.read = breaking
    answer = await shelf.get(range="bytes=10-")

    assert answer.content == WHOLE[10:]
    assert starts == sorted(set(starts))
    assert len(starts) > 1


async def test_a_store_that_gives_nothing_more_breaks_the_answer_off(shelf):
    read = shelf.storage.read

    async def ending(key, *, start, end, etag):
        if start:
            raise StorageUnavailable
        async for chunk in read(key, start=start, end=end, etag=etag):
            yield chunk
            raise SourceTruncated(name=key, got=len(chunk), expected=end - start)

    shelf.storage.read = ending
    with pytest.raises(RuntimeError) as broken:  # Starlette's word for an error in half an answer
        await shelf.get()
    assert isinstance(broken.value.__cause__, StorageUnavailable)


async def test_a_client_that_leaves_releases_the_reader(shelf):
    url = httpx.URL(await shelf.url())
    left, closed, sent = asyncio.Event(), asyncio.Event(), []
    read = shelf.storage.read

    async def watched(*args, **span):
        try:
            async for chunk in read(*args, **span):
                yield chunk
        finally:
            closed.set()

    async def receive():
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)
        left.set()
        await asyncio.sleep(0)

    shelf.storage.read = watched
    scope = {"type": "http", "method": "GET", "headers": [], "query_string": url.query}
    await shelf.serve(scope | {"path_params": {"job_id": str(JOB)}}, receive, send)

    assert closed.is_set()
    assert sum(len(message.get("body", b"")) for message in sent) < len(WHOLE)
    assert len(asyncio.all_tasks()) == 1


async def test_an_expired_link_leads_a_client_with_a_token_back_to_the_handle(shelf):
    url = await shelf.url()
    shelf.clock.passed_s += 61
    token = {"Authorization": "Bearer x"}

    answer = await shelf.client.get(url, headers=token)

    assert (answer.status_code, answer.headers["location"]) == (307, f"http://test/v1/download/file/{JOB}")
    assert (await shelf.client.get(url)).status_code == 403
    assert (await shelf.client.get(url.replace("signature=", "signature=x"), headers=token)).status_code == 403
