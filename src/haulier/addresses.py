"""Which addresses we connect to where others say where, and a transport that connects to exactly what was checked.

A name is resolved once for each request, every address it has is checked, and the connection goes to one of those: a
second answer of the name server (DNS rebinding) is never used. TLS still verifies the name, and the origin still sees
it in `Host`.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx
import msgspec

from haulier.errors import SourceRefused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Credentials are handed out here to whoever asks: AWS, GCP, Azure, Alibaba, Oracle; containers of ECS and EKS.
_METADATA = tuple(
    map(
        ip_network,
        (
            "169.254.169.0/24",
            "169.254.170.0/24",
            "168.63.129.16/32",
            "100.100.100.200/32",
            "192.0.0.192/32",
            "fd00:ec2::/32",
            "fd20:ce::254/128",
        ),
    )
)
# Public by registry, but tunnels that can end anywhere (Teredo, NAT64 for local use, IPv4-compatible, site-local).
_NEVER = tuple(map(ip_network, ("2001::/32", "64:ff9b:1::/48", "::/96", "fec0::/10")))
# Threads of their own: a name server that never answers holds up neither digests nor files.
_RESOLVERS = ThreadPoolExecutor(16, thread_name_prefix="resolve")
_NAT64 = ip_network("64:ff9b::/96")


class AddressRules(msgspec.Struct, frozen=True):
    """What settings allow besides public addresses: all private ones, or those of some networks.

    Addresses of cloud metadata are allowed only by a network of one address: none is opened by accident.
    """

    allow_private: bool = False
    networks: tuple[Network, ...] = ()

    def refusal(self, address: Address) -> str | None:
        """Why `address` is not allowed, or None when it is. Looks into IPv4 addresses wrapped in IPv6 ones."""
        if isinstance(address, IPv6Address) and (inner := _wrapped(address)) is not None:
            return self.refusal(inner)
        networks = [network for network in self.networks if address in network]
        if any(address in network for network in _METADATA):
            named = any(network.num_addresses == 1 for network in networks)
            return None if named else "it is an address of cloud metadata"
        return None if self.allow_private or networks else _not_public(address)

    def check(self, name: str, addresses: Iterable[Address]) -> None:
        """Raise SourceRefused when any address is not allowed: a name that mixes both kinds is not to be trusted."""
        for address in addresses:
            reason = self.refusal(address)
            if reason is not None:
                raise SourceRefused(name=name, reason=reason)


def _not_public(address: Address) -> str | None:
    if address.is_loopback:
        return "it is a loopback address"
    if address.is_link_local:
        return "it is a link-local address"
    if address.is_multicast:
        return "it is a multicast address"
    if any(address in network for network in _NEVER):
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


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of `host`, in the resolver's order. Raises OSError (socket.gaierror) when it has none."""
    find = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_RESOLVERS, find)
    # a scope (`fe80::1%eth0`) is part of the text only
    addresses = [ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found]
    return list(dict.fromkeys(addresses))


@cache
def trusted() -> ssl.SSLContext:
    """The certificate authorities, those of `SSL_CERT_FILE` when it is set: read once, since that takes 20 ms."""
    return httpx.create_ssl_context()


class NoAddress(httpx.ConnectError):
    """The name servers know no address for the host."""


def unconnected(error: httpx.ConnectError) -> str:
    """Why there is no connection, in a few words for those who gave the address."""
    if isinstance(error, NoAddress):
        return "its host has no address"
    return "its certificate is not valid" if "CERTIFICATE" in str(error) else "no connection"


class CheckedTransport(httpx.AsyncBaseTransport):
    """An HTTP transport that resolves, checks and connects to what it checked. Keeps no connection for reuse."""

    def __init__(self, *, rules: AddressRules, timeout_s: float) -> None:
        self._rules = rules
        self._timeout_s = timeout_s
        # without reuse: connections are pooled by address, and another name may live at the same one
        self._inner = httpx.AsyncHTTPTransport(verify=trusted(), limits=httpx.Limits(max_keepalive_connections=0))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii").strip("[]")
        addresses = await self._resolved(host, request.url.port or (443 if request.url.scheme == "https" else 80))
        self._rules.check(host, addresses)
        failure: httpx.TransportError | None = None
        for address in addresses:
            try:
                return await self._inner.handle_async_request(_to(address, request, host))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure or NoAddress("the host has no address")

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _resolved(self, host: str, port: int) -> list[Address]:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await resolve(host, port)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("the name server did not answer") from error
        except (OSError, UnicodeError) as error:
            raise NoAddress("the host has no address") from error


def _to(address: Address, request: httpx.Request, host: str) -> httpx.Request:
    literal = f"[{address}]" if address.version == 6 else str(address)
    return httpx.Request(
        request.method,
        request.url.copy_with(host=literal),
        headers=request.headers,  # `Host` is among them, with the name
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
