"""Which kinds of channels this installation offers to whom, so that a page can show what there is to choose."""

from msgspec import UNSET

from haulier.api.exchange import Answer, Exchange, Headers, json_answer
from haulier.api.services import Services
from haulier.destinations.apprise_urls import HOSTED
from haulier.destinations.vapid_keys import public_point, vapid_key
from haulier.errors import ChannelKindOff
from haulier.settings import Settings
from haulier.wire_channel_kinds import (
    LANGUAGES,
    AppriseOffered,
    AppriseService,
    ChannelKinds,
    EmailOffered,
    KindOffered,
    PushKey,
    PushOffered,
)

KEY_KEPT: Headers = ((b"cache-control", b"public, max-age=300"),)


async def channel_kinds(exchange: Exchange, services: Services) -> Answer:
    """What there is for the caller; nothing where no key is set to keep channels with."""
    settings, caller, on = services.settings, exchange.caller, bool(services.sealer)
    push = on and bool(settings.vapid_key)
    schemas = settings.apprise_schemas if on else ()
    names = tuple(name for name, place in settings.apprise_places.items() if on and place.is_for(caller.role))
    return json_answer(
        ChannelKinds(
            webhook=KindOffered(on),
            email=EmailOffered(
                offered=on and bool(settings.smtp_url), languages=LANGUAGES, confirmed_address=caller.email or UNSET
            ),
            push=PushOffered(offered=push, public_key=_public_key(settings) if push else UNSET),
            apprise=AppriseOffered(bool(schemas or names), tuple(map(_service, schemas)), names),
        )
    )


async def push_key(_: Exchange, services: Services) -> Answer:
    """The key that a page subscribes its browser with."""
    if not services.settings.vapid_key:
        raise ChannelKindOff(kind="push", setting="HAULIER_VAPID_KEY")
    return json_answer(PushKey(_public_key(services.settings)), headers=KEY_KEPT)


def _public_key(settings: Settings) -> str:
    return public_point(vapid_key(settings.vapid_key.reveal()))


def _service(schema: str) -> AppriseService:
    return AppriseService(schema, HOSTED[schema].title if schema in HOSTED else schema)
