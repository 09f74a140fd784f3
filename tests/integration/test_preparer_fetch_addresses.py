"""fetch: where it goes, and where not: redirects, addresses, TLS names."""

from pathlib import Path

import pytest

from haulier.errors import SourceRefused, SourceUnavailable
from haulier.preparers.fetch import FetchParams, prepare
from haulier.settings import Settings
from tests.fake_build import FakeBuild
from tests.fetching import ONLY_LOOPBACK, always, build, content, failed, fetched, names, redirects, serving_tls, whole
from tests.origin import CONTENT, Handler, serving

# ---- redirects


async def test_five_redirects_are_followed_and_a_sixth_is_refused():
    def step(last: int) -> Handler:
        return redirects(lambda asked: None if asked.path == f"/{last}" else f"/{int(asked.path[1:]) + 1}")

    assert await fetched(step(5), path="/0") == CONTENT
    await failed(step(6), SourceRefused, path="/0")


async def test_a_redirect_loop_is_refused():
    await failed(redirects(lambda asked: "/file.bin"), SourceRefused)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.org/x"])
async def test_a_redirect_to_another_scheme_is_refused(target: str):
    await failed(redirects(lambda asked: target), SourceRefused)


@pytest.mark.parametrize(
    "target", ["http://[::bad", "http://a:99999/", "javascript:1", "http://xn--a/", ":https://].."]
)
async def test_a_redirect_to_nowhere_is_told(target: str):
    await failed(redirects(lambda asked: target), SourceUnavailable)


async def test_headers_go_to_the_same_host_only():
    async with (
        serving(always(whole())) as other,
        serving(redirects(lambda asked: other.url("/there", host="localhost"))) as origin,
    ):
        await content(await prepare(build(origin, headers={"Authorization": "Bearer x"})))
    assert "authorization" in origin.asked[0].headers
    assert "authorization" not in other.asked[0].headers


# ---- addresses


async def test_private_addresses_are_refused_by_default():
    async with serving(always(whole())) as origin:
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"):
            with pytest.raises(SourceRefused) as caught:
                await prepare(build(origin, host=host, settings={"fetch_allow_private": False}))
            assert caught.value.permanent
    assert origin.asked == []


async def test_one_forbidden_address_among_others_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch):
    names(monkeypatch, {"mixed.example": ["93.184.216.34", "10.0.0.1"]})
    await failed(always(whole()), SourceRefused, host="mixed.example", settings={"fetch_allow_private": False})


async def test_a_redirect_is_checked_again(monkeypatch: pytest.MonkeyPatch):
    names(monkeypatch, {"public.example": ["127.0.0.1"], "inside.example": ["10.0.0.1"]})
    handler = redirects(lambda asked: "http://inside.example/latest/meta-data/")
    error = await failed(handler, SourceRefused, host="public.example", settings=ONLY_LOOPBACK)
    assert "inside.example" in error.detail


async def test_a_host_without_an_address_is_told():
    error = await failed(always(whole()), SourceUnavailable, host="nowhere.invalid")  # RFC 6761: never one
    assert "its host has no address" in error.detail


async def test_the_address_that_was_checked_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch):
    asked = names(monkeypatch, {"rebinding.example": ["127.0.0.1"]})
    async with serving(always(whole())) as origin:
        await content(await prepare(build(origin, host="rebinding.example")))
    assert asked == ["rebinding.example"] * 2
    assert origin.asked[0].headers["host"] == f"rebinding.example:{origin.port}"


async def test_the_next_address_is_tried_when_one_does_not_answer(monkeypatch: pytest.MonkeyPatch):
    names(monkeypatch, {"two.example": ["127.0.0.2", "127.0.0.1"]})
    assert await fetched(always(whole()), host="two.example") == CONTENT


async def test_a_name_without_address_is_told():
    await failed(always(whole()), SourceUnavailable, host="nowhere.invalid")


# ---- TLS


@pytest.mark.parametrize(("host", "trusted"), [("origin.example", True), ("other.example", False)])
async def test_tls_verifies_the_name_although_the_address_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, trusted: bool
):
    names(monkeypatch, {host: ["127.0.0.1"]})
    async with serving_tls(tmp_path, monkeypatch, "origin.example", always(whole())) as (origin, asked):
        job = FakeBuild(FetchParams(url=f"https://{host}:{origin.port}/"), settings=Settings(fetch_allow_private=True))
        if trusted:
            assert await content(await prepare(job)) == CONTENT
        else:
            with pytest.raises(SourceUnavailable, match="its certificate is not valid"):
                await prepare(job)
    assert asked == [host] * (2 if trusted else 1)
