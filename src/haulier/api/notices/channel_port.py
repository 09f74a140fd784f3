"""What a kind of channel is to the API; channel_kinds.py lists them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from haulier.api.auth import Caller
from haulier.settings import Settings
from haulier.wire_channels import ChannelChange, NewChannel


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for a channel, where and when."""

    settings: Settings
    caller: Caller
    now: datetime


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel is made of. `shown` goes into this one answer: fields of ChannelWithSecret.

    `code_to` is an address that a code is mailed to: the channel is confirmed when that comes back.
    """

    target: str
    secret: Mapping[str, Any]
    shown: Mapping[str, str] = {}
    code_to: str = ""


class ChannelKind(Protocol):
    """One kind. All of them raise InvalidRequest for what a client got wrong, and do no I/O."""

    @property
    def shape(self) -> type[NewChannel]:
        """Its request. Its tag is the kind's name."""
        ...

    def make(self, body: Any, *, asker: Asker) -> Made:
        """A new channel as `body`, a `shape`, wants it. Called in a thread. Raises ChannelKindOff."""
        ...

    def change(self, body: ChannelChange, secret: Mapping[str, Any], *, asker: Asker) -> Made | None:
        """What becomes of it by the fields that are this kind's own; None when there are none of them."""
        ...

    def rotate(self, secret: Mapping[str, Any], *, now: datetime) -> Made | None:
        """The same with a new secret; None when it has none that could be changed. `target` is not looked at.

        Raises RotationsLimited.
        """
        ...

    def ask_again(self, secret: Mapping[str, Any], *, asker: Asker) -> Made | None:
        """The same with another code, or with none if the asker's token vouches; None when codes confirm nothing.

        Raises ChannelKindOff.
        """
        ...
