"""E-mail addresses as text: which we send to, and how one is shown. Pure."""

import re
from email.utils import parseaddr

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=.{{1,254}}\Z)(?=[^@]{{1,64}}@){_LOCAL}@{_LABEL}(?:\.{_LABEL})*\Z", re.ASCII)


def is_mail_address(text: str) -> bool:
    """Whether `text` is one plain ASCII address (RFC 5321), no name, quotes or comments: nothing to inject with."""
    return _ADDRESS.match(text) is not None


def bare_address(text: str) -> str | None:
    """The address of `Name <address>` or `address`, as a sender is written in settings; None when there is none."""
    if re.search(r"[\x00-\x1f\x7f]", text):
        return None
    address = parseaddr(text)[1]
    return address if is_mail_address(address) else None


def masked(address: str) -> str:
    """An address to show: its owner knows it again, nobody else learns it. `anna@example.com` is `a***@example.com`."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"


def same_address(one: str, other: str) -> bool:
    """Whether both are the same mailbox as far as anybody but its server can say: domains know no case."""
    return _folded(one) == _folded(other)


def _folded(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"
