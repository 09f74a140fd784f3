"""Which addresses fetch may reach, and a transport that connects to exactly the address that was checked.

A name is resolved once, every address it has is checked, and the connection goes to one of those: a second answer of
the name server (DNS rebinding) is never used. TLS still verifies the name, and the origin still sees it in `Host`.
"""

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx

from haulier.errors import SourceRefused

Address = IPv4Address | IPv6Address

# Public by registry, but what answers there is the cloud's own machinery (Azure's metadata and DHCP), or a tunnel that
# can end anywhere (Teredo, NAT64 for local use, IPv4-compatible).
_NEVER = tuple(map(ip_network, ("168.63.129.16/32", "2001::/32", "64:ff9b:1::/48", "::/96", "fec0::/10")))
_NAT64 = ip_network("64:ff9b::/96")


def refusal(address: Address) -> str | None:
    """Why `address` is not allowed, or None when it is a public one. Looks into IPv4 addresses wrapped in IPv6 ones."""
    if isinstance(address, IPv6Address) and (inner := _wrapped(address)) is not None:
        return refusal(inner)
    if address.is_loopback:
        return "it is a loopback address"
    if address.is_link_local:
        return "it is a link-local address"
    if address.is_multicast:
        return "it is a multicast address"
    if any(address in network for network in _NEVER if network.version == address.version):
        return "it is a reserved address"
    if address.is_private or address.is_reserved or address.is_unspecified or not address.is_global:
        return "it is a private or reserved address"
    return None


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


def check(name: str, addresses: Iterable[Address]) -> None:
    """Raise SourceRefused when any address is not allowed: a name that mixes both kinds is not to be trusted."""
    for address in addresses:
        reason = refusal(address)
        if reason is not None:
            raise SourceRefused(name=name, reason=reason)


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of `host`, in the resolver's order. Raises OSError (socket.gaierror) when it has none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # a scope (`fe80::1%eth0`) is part of the text only
    addresses = [ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found]
    return list(dict.fromkeys(addresses))


class CheckedTransport(httpx.AsyncBaseTransport):
    """An HTTP transport that resolves, checks and connects to what it checked. Keeps no connection for reuse."""

    def __init__(self, *, allow_private: bool, timeout_s: float) -> None:
        self._allow_private = allow_private
        self._timeout_s = timeout_s
        # without reuse: connections are pooled by address, and another name may live at the same one
        self._inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii").strip("[]")
        addresses = await self._resolved(host, request.url.port or (443 if request.url.scheme == "https" else 80))
        if not self._allow_private:
            check(host, addresses)
        failure: httpx.TransportError | None = None
        for address in addresses:
            try:
                return await self._inner.handle_async_request(_to(address, request, host))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure or httpx.ConnectError("the host has no address")

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _resolved(self, host: str, port: int) -> list[Address]:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await resolve(host, port)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("the name server did not answer") from error
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError("the host has no address") from error


def _to(address: Address, request: httpx.Request, host: str) -> httpx.Request:
    literal = f"[{address}]" if address.version == 6 else str(address)
    return httpx.Request(
        request.method,
        request.url.copy_with(host=literal),
        headers=request.headers,  # `Host` is among them, with the name
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
