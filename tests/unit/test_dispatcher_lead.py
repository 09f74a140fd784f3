"""When a new leader ends lost attempts: at once, unless nobody may have been able to renew a lease."""

import pytest

from haulier.dispatch import Dispatcher
from haulier.errors import LedgerUnavailable

LEASE_S = 15.0


class Scene:
    """A dispatcher whose leadership answers as told, two seconds apart."""

    def __init__(self):
        self.now_s = 100.0
        self.answer = False
        self.dispatcher = Dispatcher(
            ledger=None,
            engine=None,
            storage=None,
            announcements=None,
            leadership=self,
            lease_s=LEASE_S,
            longest_upload_s=60,
            clock=self,
        )

    def monotonic(self):
        return self.now_s

    async def held(self):
        if self.answer is None:
            raise LedgerUnavailable
        return self.answer

    async def asked(self, *answers):
        for self.answer in answers:
            self.now_s += 2.0
            await self.dispatcher._lead()

    @property
    def patience_s(self):
        return max(self.dispatcher._due["end_lost"] - self.now_s, 0)


@pytest.mark.parametrize(
    ("answers", "patience_s"),
    [
        ((False, False, True), 0),  # the leader before it has died
        ((True,), LEASE_S),  # just started: the ledger may have been away
        ((False, None, None, True), LEASE_S),  # the ledger was away
        ((True, None, True), LEASE_S),
        ((True, True, False, True), LEASE_S - 6),  # deposed: what is left of the first patience
    ],
)
async def test_a_new_leader_is_patient_when_the_ledger_was_away(answers, patience_s):
    scene = Scene()
    await scene.asked(*answers)
    assert scene.patience_s == patience_s
