"""fetch against origins and rules that want it to go where it must not, or to tell what it must not."""

from contextlib import suppress
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier import addresses
from haulier.errors import SourceRefused, SourceUnavailable
from haulier.preparers.fetch import FetchParams, prepare
from haulier.settings import Settings
from tests.fake_build import FakeBuild
from tests.fetching import (
    ONLY_LOOPBACK,
    always,
    build,
    content,
    failed,
    names,
    redirects,
    serving_tls,
    whole,
)
from tests.origin import CONTENT, Asked, Reply, serving

CLOSED = {"fetch_allow_private": False}
OPEN = {"fetch_allow_private": True}

METADATA = [
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0xa9.0xfe.0xa9.0xfe",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[fd00:ec2::254]",
    "168.63.129.16",
    "100.100.100.200",
]


@pytest.mark.parametrize("host", METADATA)
async def test_a_redirect_to_cloud_metadata_is_refused_even_where_private_addresses_are_allowed(host: str):
    target = f"http://{host}/latest/meta-data/iam/security-credentials/"
    error = await failed(redirects(lambda asked: target), SourceRefused, settings=OPEN)
    assert "cloud metadata" in error.detail
    assert error.permanent


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "017700000001", "0x7f.1", "[::1]", "[::]", "0"])
async def test_no_spelling_of_this_machine_gets_through(host: str):
    async with serving(always(whole())) as origin:
        with pytest.raises(SourceRefused):
            await prepare(build(origin, host=host, settings=CLOSED))
    assert origin.asked == []


@pytest.mark.parametrize(
    "host", ["localhost.", "LOCALHOST", "127.0.0.1.", "0177.0.0.1", "１２７.0.0.1", "127。0。0。1"]
)
async def test_odd_names_of_this_machine_do_not_get_through_either(host: str):
    async with serving(always(whole())) as origin:
        with pytest.raises((SourceRefused, SourceUnavailable, ValueError)):
            await prepare(build(origin, host=host, settings=CLOSED))
    assert origin.asked == []


@pytest.mark.parametrize("second", ["10.0.0.1", "169.254.169.254", "::1"])
async def test_a_name_that_resolves_otherwise_the_second_time_is_checked_again(
    monkeypatch: pytest.MonkeyPatch, second: str
):
    answers = iter(["127.0.0.1", second])

    async def resolve(host: str, port: int) -> list[addresses.Address]:
        return [addresses.ip_address(next(answers))]

    monkeypatch.setattr(addresses, "resolve", resolve)
    async with serving(always(whole())) as origin:
        result = await prepare(build(origin, host="rebinding.example", settings=ONLY_LOOPBACK))
        with pytest.raises(SourceRefused):
            await content(result)
    assert len(origin.asked) == 1


@pytest.mark.parametrize(
    "authority",
    ["public.example@inside.example", "public.example:80@inside.example", "public.example%2f@inside.example"],
)
async def test_a_user_name_that_looks_like_a_host_does_not_count_as_one(
    monkeypatch: pytest.MonkeyPatch, authority: str
):
    asked = names(monkeypatch, {"public.example": ["127.0.0.1"], "inside.example": ["10.0.0.1"]})
    async with serving(redirects(lambda _: f"http://{authority}/")) as origin:
        with pytest.raises(SourceRefused):
            await prepare(build(origin, host="public.example", settings=ONLY_LOOPBACK))
    assert asked == ["public.example", "inside.example"]


@pytest.mark.parametrize(
    "target",
    [
        "http://inside.example\\@public.example/",
        "http://public.example\\@inside.example/",
        "//inside.example/",
        "\\\\inside.example/",
        "http:inside.example",
        "http:///inside.example/",
        "http://inside.example#@public.example/",
        "http://inside.example?@public.example/",
    ],
)
async def test_parsers_that_disagree_about_the_host_do_not_matter(monkeypatch: pytest.MonkeyPatch, target: str):
    asked = names(monkeypatch, {"public.example": ["127.0.0.1"], "inside.example": ["10.0.0.1"]})
    hops = iter([target])
    async with serving(redirects(lambda _: next(hops, None))) as origin:
        with suppress(SourceRefused, SourceUnavailable):
            await content(await prepare(build(origin, host="public.example", settings=ONLY_LOOPBACK)))
    # whatever was reached was reached under the name that was checked
    assert {each.headers["host"] for each in origin.asked} == {f"public.example:{origin.port}"}
    assert set(asked) <= {"public.example", "inside.example"}


@pytest.mark.parametrize(
    "target",
    ["/x\r\n X-Injected: 1", "/x\rX-Injected: 1", "/x%0d%0aX-Injected:%201", "http://127.0.0.1%0d%0aX-Injected:1/"],
)
async def test_a_line_break_in_a_redirect_injects_no_header(target: str):
    hops = iter([target])
    async with serving(redirects(lambda _: next(hops, None))) as origin:
        with suppress(SourceUnavailable):
            await content(await prepare(build(origin)))
    assert all("x-injected" not in asked.headers for asked in origin.asked)


PIECES = ["http://", "https:", "//", "/", "\\", "xn--", "xn--a", "@", ":", "[", "]", "::1", "%", "%2e", "..", "a", " ",
          "\t", "é", "?", "#", "10.0.0.1", "0x", "999", "65536", "\x7f", "\x85", "a" * 300, "."]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join))
@hypothesis.settings(max_examples=50)
async def test_whatever_a_redirect_holds_it_is_followed_or_told(target: str):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(addresses, "resolve", without_a_name_server)
        async with serving(redirects(lambda _: target)) as origin:
            with pytest.raises((SourceRefused, SourceUnavailable)):
                await prepare(build(origin, settings=ONLY_LOOPBACK))


async def without_a_name_server(host: str, port: int) -> list[addresses.Address]:
    try:
        return [addresses.ip_address(host)]
    except ValueError as error:
        raise OSError("no such name") from error


async def test_a_redirect_from_https_to_http_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    names(monkeypatch, {"origin.example": ["127.0.0.1"]})
    handler = redirects(lambda _: "http://origin.example/")
    async with serving_tls(tmp_path, monkeypatch, "origin.example", handler) as (origin, _):
        job = FakeBuild(FetchParams(url=f"https://origin.example:{origin.port}/"), settings=Settings(**OPEN))
        with pytest.raises(SourceRefused, match="from https to http"):
            await prepare(job)


# ---- credentials


def secrets_of(asked: Asked) -> set[str]:
    return {"authorization", "cookie", "x-api-key"} & asked.headers.keys()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_credentials_stay_with_the_host_and_port_they_were_meant_for(host: str):
    async with serving(always(whole())) as other:

        def handle(asked: Asked) -> Reply:
            return Reply(302, {"Location": other.url(host=host), "Set-Cookie": "session=1; Path=/only-here"})

        async with serving(handle) as origin:
            url = origin.url().replace("http://", "http://user:hunter2@")
            job = FakeBuild(FetchParams(url=url, headers={"X-Api-Key": "s3cret"}), settings=Settings(**OPEN))
            assert await content(await prepare(job)) == CONTENT
    assert secrets_of(origin.asked[0]) == {"authorization", "x-api-key"}
    assert [secrets_of(asked) for asked in other.asked] == [set(), set()]


async def test_credentials_do_not_come_back_after_a_detour():
    async with serving(always(whole())) as other, serving(always(whole())) as origin:
        other.handler = redirects(lambda asked: origin.url("/end"))
        origin.handler = redirects(lambda asked: other.url() if asked.path == "/file.bin" else None)
        await prepare(build(origin, headers={"Authorization": "Bearer x"}))
    assert [secrets_of(asked) for asked in origin.asked] == [{"authorization"}, set()]
