"""Channels of the caller: where outcomes are told. Others' are as if there were none, for admins too."""

import asyncio
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID, uuid5

import msgspec
from msgspec import UNSET

from haulier.api.bodies import body_of, kind_body_of
from haulier.api.exchange import Answer, Exchange, json_answer
from haulier.api.notices.channel_kinds import KINDS, NEW_CHANNELS
from haulier.api.notices.channel_port import Asker, Made
from haulier.api.notices.code_limits import limited
from haulier.api.requests import channel_id_of, idempotency_key_of, uuid_of
from haulier.api.services import Services
from haulier.clock import wire_time
from haulier.errors import (
    ChannelChanged,
    ChannelExists,
    ChannelNotFound,
    ChannelsOff,
    ChannelUnconfirmed,
    IdempotencyMismatch,
    InvalidRequest,
    NothingToRotate,
    TooManyChannels,
)
from haulier.ledger import MOST_CHANNELS, Channel, ChannelDraft
from haulier.sealing import CannotOpen
from haulier.wire_channels import Channel as ChannelView
from haulier.wire_channels import ChannelChange, ChannelList, ChannelRemoved, ChannelWithSecret, NewChannel

PATH = "/v1/channels"
SHOWN_FOR = timedelta(hours=24)  # to who lost the answer: after that a key that leaked tells nothing
_IDS = UUID("6d1f2f3a-5d0b-4c58-9d70-0a4b9d3c8f11")  # where ids that follow from an Idempotency-Key come from


async def create(exchange: Exchange, services: Services) -> Answer:
    """A new channel. The same Idempotency-Key and body answer the same channel, with its secret for SHOWN_FOR.

    So does, without a key, whatever asks for the same at a place of which there is a channel already.
    """
    check_on(services)
    key = idempotency_key_of(exchange)
    body = await kind_body_of(exchange, NEW_CHANNELS)
    # In a thread: apprise has to be loaded for what it reaches.
    made = await asyncio.to_thread(KINDS[_kind_name(body)].make, body, asker=asker_of(exchange, services))
    user_id = exchange.caller.user_id
    channel_id = services.new_id() if key is None else uuid5(_IDS, f"{user_id}\0{key}")
    before = None if key is None else await services.ledger.channels.get(channel_id, user_id=user_id)
    kept = _kept_for(body, made) if key else {}
    if before is None:
        added = await services.ledger.channels.add(_draft(channel_id, body, made, kept, exchange, services))
        if added.channel is not None:
            return json_answer(with_secret(added.channel, made.shown), status=201)
        if added.again_at is not None:
            raise limited(added.again_at, services)
        if added.twin is not None:
            return json_answer(with_secret(await _twin(added.twin, body, made, exchange, services), {}), status=201)
    if before is None and key is not None:
        before = await services.ledger.channels.get(channel_id, user_id=user_id)
    if before is None:
        raise TooManyChannels(limit=MOST_CHANNELS)
    secret = opened(before, services)
    if secret.get("request") != kept["request"]:
        raise IdempotencyMismatch
    is_shown = services.clock.now() < before.created_at + SHOWN_FOR
    return json_answer(with_secret(before, secret.get("shown", {}) if is_shown else {}), status=201)


def _draft(
    channel_id: UUID, body: NewChannel, made: Made, kept: Mapping[str, Any], exchange: Exchange, services: Services
) -> ChannelDraft:
    kind, user_id = _kind_name(body), exchange.caller.user_id
    return ChannelDraft(
        id=channel_id,
        user_id=user_id,
        kind=kind,
        label=body.label,
        target=made.target,
        sealed=services.sealer.seal(channel_id, {**made.secret, **kept}),
        events=tuple(dict.fromkeys(body.events)),
        every_job=body.every_job,
        confirmed=not made.code_to,
        fingerprints=services.sealer.fingerprints(user_id=user_id, kind=kind, secret=made.secret),
        code_to=made.code_to,
    )


async def _twin(twin: UUID, body: NewChannel, made: Made, exchange: Exchange, services: Services) -> Channel:
    """The channel that leads there already, if it is on and does all that is asked for. Raises ChannelExists."""
    found = await services.ledger.channels.get(twin, user_id=exchange.caller.user_id)
    if found is None:
        raise ChannelChanged
    kept, secret = opened(found, services), made.secret
    is_same = (found.label, set(found.events), found.every_job) == (body.label, set(body.events), body.every_job)
    is_same = is_same and all(kept.get(name) == secret[name] for name in secret if not name.startswith("code"))
    if found.is_off or not found.confirmed or not is_same:
        raise ChannelExists(channel_id=found.id)
    return found


def _kept_for(body: NewChannel, made: Made) -> dict[str, Any]:
    """What is sealed with a channel that was asked for with a key: a repeated request is told from another one by it,
    and a link in a letter from one of a channel that had the same id before."""
    return {
        "request": hashlib.sha256(msgspec.json.encode(body)).hexdigest(),
        "shown": made.shown,
        "stop": secrets.token_urlsafe(16),
    }


async def channels(exchange: Exchange, services: Services) -> Answer:
    """All channels of the caller."""
    check_on(services)
    found = await services.ledger.channels.of_user(exchange.caller.user_id)
    return json_answer(ChannelList(tuple(map(view, found)), MOST_CHANNELS))


async def channel(exchange: Exchange, services: Services) -> Answer:
    """One of them."""
    return json_answer(view(await own_channel(exchange, services)))


async def change(exchange: Exchange, services: Services) -> Answer:
    """Change what the body names."""
    body = await body_of(exchange, ChannelChange)
    before = await own_channel(exchange, services)
    secret = opened(before, services)
    made = KINDS[before.kind].change(body, secret, asker=asker_of(exchange, services))
    if made is None and body.url is not UNSET:
        raise InvalidRequest(("/url", f"is nothing that a channel of kind {before.kind} has"))
    after = msgspec.structs.replace(
        before,
        label=before.label if body.label is UNSET else body.label,
        events=before.events if body.events is UNSET else tuple(dict.fromkeys(body.events)),
        every_job=before.every_job if body.every_job is UNSET else body.every_job,
        target=made.target if made else before.target,
    )
    secret |= dict(made.secret if made else {})
    return json_answer(view(await _keep(before, after, secret, services, elsewhere=made is not None)))


async def remove(exchange: Exchange, services: Services) -> Answer:
    """Remove a channel, whatever waits for it."""
    check_on(services)
    channel_id = channel_id_of(exchange)
    if not await services.ledger.channels.remove(channel_id, user_id=exchange.caller.user_id):
        raise ChannelNotFound
    return json_answer(ChannelRemoved(str(channel_id)))


async def rotate(exchange: Exchange, services: Services) -> Answer:
    """A new secret."""
    before = await own_channel(exchange, services)
    secret = opened(before, services)
    made = KINDS[before.kind].rotate(secret, now=services.clock.now())
    if made is None:
        raise NothingToRotate(kind=before.kind)
    secret = {name: value for name, value in secret.items() if name != "shown"}
    after = await _keep(before, before, secret | dict(made.secret), services)
    return json_answer(with_secret(after, made.shown))


async def enable(exchange: Exchange, services: Services) -> Answer:
    """Deliver to it again."""
    before = await own_channel(exchange, services)
    found = await services.ledger.channels.enable(before.id, user_id=before.user_id)
    if found is None:
        raise ChannelUnconfirmed
    return json_answer(view(found))


async def named_channels(texts: Sequence[str], exchange: Exchange, services: Services) -> tuple[UUID, ...]:
    """The channels that a request's `notify` names. Raises InvalidRequest for what is no channel of the caller, or off.

    One that is not confirmed yet may be before the job ends.
    """
    if len(set(texts)) < len(texts):
        raise InvalidRequest(("/notify", "Name each channel once"))
    ids = [uuid_of(text) for text in texts]
    known = [channel_id for channel_id in ids if channel_id is not None]
    own = await services.ledger.channels.owned(known, user_id=exchange.caller.user_id) if known else {}
    problems: list[tuple[str, str]] = []
    for place, channel_id in enumerate(ids):
        if channel_id is None or channel_id not in own:
            problems.append((f"/notify/{place}", "is no channel of yours"))
        elif own[channel_id]:
            problems.append((f"/notify/{place}", "is disabled: nothing is delivered to it"))
    if problems:
        raise InvalidRequest(*problems)
    return tuple(known)


async def own_channel(exchange: Exchange, services: Services) -> Channel:
    """The channel of the path. Raises ChannelNotFound, ChannelsOff."""
    check_on(services)
    found = await services.ledger.channels.get(channel_id_of(exchange), user_id=exchange.caller.user_id)
    if found is None:
        raise ChannelNotFound
    return found


def asker_of(exchange: Exchange, services: Services) -> Asker:
    """Who asks."""
    return Asker(settings=services.settings, caller=exchange.caller, now=services.clock.now())


def check_on(services: Services) -> None:
    """Raises ChannelsOff where no key is set."""
    if not services.sealer:
        raise ChannelsOff


def opened(channel: Channel, services: Services) -> dict[str, Any]:
    """What the channel keeps secret. Raises ChannelsOff when it was sealed with a key that is not set any more."""
    try:
        return services.sealer.open(channel.id, channel.sealed)
    except CannotOpen:
        raise ChannelsOff from None


async def _keep(
    before: Channel, after: Channel, secret: Mapping[str, Any], services: Services, *, elsewhere: bool = False
) -> Channel:
    changed = msgspec.structs.replace(after, sealed=services.sealer.seal(before.id, secret))
    kept = await services.ledger.channels.change(changed, before=before.sealed, elsewhere=elsewhere)
    if kept is None:
        raise ChannelChanged
    return kept


def view(channel: Channel) -> ChannelView:
    """The channel as the wire shows it."""
    return ChannelView(
        channel_id=str(channel.id),
        kind=channel.kind,
        label=channel.label,
        target=channel.target,
        events=channel.events,
        every_job=channel.every_job,
        status=_status(channel),
        created_at=wire_time(channel.created_at),
        updated_at=wire_time(channel.updated_at),
        failing_since=wire_time(channel.failing_since) if channel.failing_since else UNSET,
        disabled_at=wire_time(channel.disabled_at) if channel.disabled_at else UNSET,
        disabled_reason=channel.disabled_reason or UNSET,
    )


def _status(channel: Channel) -> Literal["active", "failing", "disabled", "unconfirmed"]:
    if channel.is_off:
        return "disabled"
    if not channel.confirmed:
        return "unconfirmed"
    return "failing" if channel.failing_since else "active"


def with_secret(channel: Channel, shown: Mapping[str, str]) -> ChannelWithSecret:
    """The same with what is shown once."""
    return ChannelWithSecret(
        **msgspec.structs.asdict(view(channel)),
        secret=shown.get("secret", UNSET),
        public_key=shown.get("public_key", UNSET),
    )


def _kind_name(body: NewChannel) -> str:
    return next(name for name, kind in KINDS.items() if isinstance(body, kind.shape))
