"""Sealing what channels keep secret."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.errors import ChannelsOff
from haulier.sealing import CannotOpen, Sealer, channel_sealer
from haulier.settings import Secret, load

KEY, OTHER = Secret("k" * 32), Secret("o" * 32)
CHANNEL = uuid4()
SECRET = {"url": "https://example.com/hook?token=x"}


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.none(), max_size=5))
def test_what_is_sealed_opens_and_shows_nothing(secret):
    sealed = Sealer([KEY]).seal(CHANNEL, secret)
    assert Sealer([KEY]).open(CHANNEL, sealed) == secret
    assert Sealer([KEY]).seal(CHANNEL, secret) != sealed


def test_the_text_is_not_in_it():
    assert b"example" not in Sealer([KEY]).seal(CHANNEL, SECRET)


def test_it_opens_for_its_own_channel_only():
    sealed = Sealer([KEY]).seal(CHANNEL, SECRET)
    with pytest.raises(CannotOpen):
        Sealer([KEY]).open(uuid4(), sealed)


def test_another_key_opens_nothing_and_an_old_one_still_does():
    sealed = Sealer([OTHER]).seal(CHANNEL, SECRET)
    with pytest.raises(CannotOpen):
        Sealer([KEY]).open(CHANNEL, sealed)
    both = Sealer([KEY, OTHER])
    assert both.open(CHANNEL, sealed) == SECRET
    assert not sealed.startswith(both.mark)
    assert both.seal(CHANNEL, SECRET).startswith(both.mark)


@given(st.data())
def test_a_changed_byte_or_a_cut_makes_it_unreadable(data):
    sealed = Sealer([KEY]).seal(CHANNEL, SECRET)
    place = data.draw(st.integers(0, len(sealed) - 1))
    changed = sealed[:place] + bytes([sealed[place] ^ data.draw(st.integers(1, 255))]) + sealed[place + 1 :]
    for wrong in (changed, sealed[:place]):
        with pytest.raises(CannotOpen):
            Sealer([KEY]).open(CHANNEL, wrong)


def test_without_a_key_channels_are_off():
    sealer = Sealer([Secret()])
    assert not sealer
    with pytest.raises(ChannelsOff):
        sealer.seal(CHANNEL, SECRET)
    with pytest.raises(ChannelsOff):
        sealer.open(CHANNEL, b"")


def test_a_key_of_its_own_opens_what_was_sealed_before_there_was_one():
    jwt = "j" * 32
    before = channel_sealer(load({}, jwt_secret=jwt)).seal(CHANNEL, SECRET)
    now = channel_sealer(load({}, jwt_secret=jwt, channel_key="k" * 32))
    assert now.open(CHANNEL, before) == SECRET
    changed = channel_sealer(load({}, jwt_secret="n" * 32, channel_old_keys=f"{'x' * 32}, {jwt}"))
    assert changed.open(CHANNEL, before) == SECRET


def test_a_sealer_shows_no_key():
    assert "kkkk" not in repr(vars(Sealer([KEY])))
