"""Settings that must not be seen, and how a field is documented."""

from typing import Any

from msgspec import Meta


class Secret:
    """Text that never prints itself; `reveal()` is the one way to read it."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret(***)" if self._text else "Secret()"

    __str__ = __repr__


def doc(text: str, **limits: Any) -> Meta:
    """What a field is, in words, and its limits."""
    return Meta(description=text, **limits)
