"""Where a webhook may lead, as far as its URL tells. What its name resolves to is checked at each delivery. Pure."""

from ipaddress import ip_address

import httpx

from haulier.addresses import AddressRules

MAX_LENGTH = 2_048
# Ports of other protocols, where an HTTP request may do harm: of the Fetch standard's list those above 1023.
_BAD_PORTS = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6679, 6697, 10080}
) | frozenset(range(6665, 6670))
_LOW_PORTS = frozenset({80, 443})
_INNER_ENDINGS = (".localhost", ".local", ".internal", ".home.arpa", ".lan", ".intranet")


def refusal(text: str, *, rules: AddressRules) -> str | None:
    """What is wrong with a webhook's URL, as the end of a sentence; None when nothing is. Repeats nothing of it."""
    try:
        url = httpx.URL(text)
        host, port = url.raw_host.decode("ascii").strip("[]").lower().rstrip("."), url.port
    except (httpx.InvalidURL, UnicodeError, ValueError):
        return "must be a URL like https://example.com/hook"
    if len(text) > MAX_LENGTH or not text.isprintable() or " " in text:
        return f"must be printable, without spaces, and have at most {MAX_LENGTH} characters"
    inner = rules.allow_private or bool(rules.networks)
    if url.scheme != "https" and not (url.scheme == "http" and inner):
        return (
            "must be an https:// address (HAULIER_CHANNEL_ALLOW_PRIVATE allows others)"
            if not inner
            else "must be an https:// or http:// address"
        )
    if not host:
        return "must name a host"
    if url.userinfo or "@" in text.partition("://")[2].partition("/")[0]:
        return "must not hold a user name or password"
    if url.fragment:
        return "must not have a fragment (#…)"
    if port is not None and (
        not 0 < port < 65_536 or port in _BAD_PORTS or (port < 1024 and port not in _LOW_PORTS and not inner)
    ):
        return "must not name a port of another protocol: 443, or one from 1024 on"
    return _host_refusal(host, rules=rules, inner=inner)


def target_of(text: str) -> str:
    """What may be shown of a URL that holds: scheme and host. Paths and queries of receivers hold their secrets."""
    url = httpx.URL(text)
    rest = "/…" if url.raw_path not in (b"", b"/") else "/"
    return f"{url.scheme}://{url.netloc.decode('ascii')}{rest}"


def _host_refusal(host: str, *, rules: AddressRules, inner: bool) -> str | None:
    try:
        address = ip_address(host)
    except ValueError:
        if not inner and ("." not in host or host.endswith(_INNER_ENDINGS)):
            return "must name a host of the public internet"
        return None
    reason = rules.refusal(address)
    return f"is not allowed: {reason}" if reason else None
