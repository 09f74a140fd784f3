"""The JSON shapes of channels for e-mail, browser push and apprise, and of what an installation offers; see wire.py."""

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from haulier.wire_channels import NewChannel

LanguageName = Literal["en", "de"]
LANGUAGES: tuple[LanguageName, ...] = get_args(LanguageName)
Language = Annotated[LanguageName, Meta(description="Which language you are told in.")]
MOST_NAME = 64


class NewEmail(NewChannel, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="email"):
    """An e-mail for each outcome. An address that your token does not vouch for has to be confirmed with a code."""

    address: Annotated[str, Meta(max_length=254, description="Where to; default: the address of your token.")] = ""
    language: Language = "en"


class PushKeys(msgspec.Struct, frozen=True):
    """The browser's keys, in base64url."""

    p256dh: Annotated[str, Meta(max_length=100, description="A point of the curve P-256, 65 bytes.")]
    auth: Annotated[str, Meta(max_length=40, description="16 random bytes.")]


class PushSubscription(msgspec.Struct, frozen=True):
    """What `PushManager.subscribe()` gave to your page, as its `toJSON()` writes it."""

    endpoint: Annotated[str, Meta(min_length=1, max_length=2_048, description="The browser's push service, https.")]
    keys: PushKeys


class NewPush(NewChannel, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="push"):
    """A notification of the browser."""

    subscription: PushSubscription
    language: Language = "en"


class NewApprise(NewChannel, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="apprise"):
    """A message wherever apprise reaches: to a URL of your own, or to a place that the operator has named."""

    url: Annotated[str, Meta(max_length=1_000, description="An apprise URL, like slack://…; one of both.")] = ""
    name: Annotated[str, Meta(max_length=MOST_NAME, description="A place that /v1/channel-kinds lists.")] = ""
    language: Language = "en"


class ConfirmRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code that was mailed."""

    code: Annotated[str, Meta(min_length=1, max_length=20)]


class KindOffered(msgspec.Struct, frozen=True):
    """Whether channels of this kind can be added here."""

    offered: bool


class EmailOffered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`confirmed_address` is that of your token: it needs no code."""

    offered: bool
    languages: tuple[str, ...]
    confirmed_address: str | UnsetType = UNSET


class PushOffered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`public_key` is the `applicationServerKey` of the page's subscription."""

    offered: bool
    public_key: str | UnsetType = UNSET


class AppriseService(msgspec.Struct, frozen=True):
    """A service: what its URLs begin with, and its name for people."""

    schema: str
    title: str


class AppriseOffered(msgspec.Struct, frozen=True):
    """`services` are those that you may write a URL for, `names` the places that you may choose."""

    offered: bool
    services: tuple[AppriseService, ...]
    names: tuple[str, ...]


class ChannelKinds(msgspec.Struct, frozen=True):
    """What this installation offers you."""

    webhook: KindOffered
    email: EmailOffered
    push: PushOffered
    apprise: AppriseOffered


class PushKey(msgspec.Struct, frozen=True):
    """The public key of browser push, 65 bytes in base64url."""

    public_key: str
