"""fetch with a misbehaving origin: what its tests share."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from haulier import addresses
from haulier.errors import AttemptError
from haulier.preparers import Mark, Result, Resumable, Stream
from haulier.preparers.fetch import FetchParams, prepare
from haulier.settings import Settings
from tests.fake_build import FakeBuild
from tests.origin import CONTENT, ETAG, Asked, Handler, Origin, Reply, serving


def build(
    origin: Origin, path: str = "/file.bin", *, host: str = "127.0.0.1", file_name: str = "", **params
) -> FakeBuild:
    limits = {"fetch_timeout_s": 10.0, "fetch_max_bytes": 10 * 2**20, "fetch_allow_private": True}
    settings = Settings(**limits | params.pop("settings", {}))
    return FakeBuild(FetchParams(url=origin.url(path, host=host), **params), settings=settings, file_name=file_name)


async def content(result: Result, *, mark: Mark | None = None) -> bytes:
    """All bytes of a result, or those that follow the mark."""
    return b"".join([piece for piece in await pieces(result, mark=mark) if isinstance(piece, bytes)])


async def pieces(result: Result, *, mark: Mark | None = None, marks: int = 1_000) -> list[bytes | Mark]:
    """Bytes and marks as they come, up to so many marks."""
    assert isinstance(result, Stream | Resumable)
    found: list[bytes | Mark] = []
    async with aclosing(result.chunks if isinstance(result, Stream) else result.open(mark)) as coming:
        async for piece in coming:
            found.append(piece)
            marks -= isinstance(piece, Mark)
            if not marks:
                break
    return found


async def fetched(handler: Handler, **options) -> bytes:
    async with serving(handler) as origin:
        return await content(await prepare(build(origin, **options)))


async def failed(handler: Handler, error: type[AttemptError], **options) -> AttemptError:
    with pytest.raises(error) as caught:
        await fetched(handler, **options)
    return caught.value


def always(reply: Reply) -> Handler:
    return lambda asked: reply


def whole(**headers: str) -> Reply:
    return Reply(200, {"ETag": ETAG, **headers}, CONTENT)


# ---- where it goes

# 127.0.0.1 plays the public address
ONLY_LOOPBACK = {"fetch_allow_private": False, "fetch_allow_networks": "127.0.0.1/32"}


def redirects(to: Callable[[Asked], str | None]) -> Handler:
    def handle(asked: Asked) -> Reply:
        target = to(asked)
        return whole() if target is None else Reply(302, {"Location": target})

    return handle


def names(monkeypatch: pytest.MonkeyPatch, table: dict[str, list[str]]) -> list[str]:
    """Answer name look-ups from `table`; returns the list of names that were looked up."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[addresses.Address]:
        asked.append(host)
        return [addresses.ip_address(text) for text in table[host]]

    monkeypatch.setattr(addresses, "resolve", resolve)
    return asked


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate of `name` with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "origin.pem"
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@asynccontextmanager
async def serving_tls(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, handler: Handler
) -> AsyncGenerator[tuple[Origin, list[str]]]:
    """An https origin whose certificate is `name`'s, and the names that clients ask for."""
    path = certificate(folder, name)
    monkeypatch.setattr(addresses, "trusted", lambda: ssl.create_default_context(cafile=path))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    asked: list[str] = []
    context.sni_callback = lambda connection, name, _: asked.append(name)
    origin = Origin(handler)
    server = await asyncio.start_server(origin.answer, "127.0.0.1", 0, ssl=context)
    origin.port = server.sockets[0].getsockname()[1]
    async with server:
        yield origin, asked
