"""When a new leader ends lost attempts: at once, unless nobody may have been able to renew a lease."""

import pytest

from haulier.dispatch import Dispatcher
from haulier.errors import LedgerUnavailable

LEASE_S = 15.0


class Scene:
    """A dispatcher whose leadership answers as told, two seconds apart."""

    def __init__(self, *, server_age_s=1_000.0):
        self.now_s = 100.0
        self.server_age_s = server_age_s
        self.answer = False
        self.dispatcher = Dispatcher(
            ledger=None,
            engine=None,
            storage=None,
            announcements=None,
            leadership=self,
            lease_s=LEASE_S,
            longest_upload_s=60,
            jobs_kept_s=86_400,
            events_kept_s=86_400,
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
        ((True,), 0),  # just started, in place of a dead one
        ((False, None, None, True), LEASE_S),  # the ledger was away
        ((True, None, True), LEASE_S),
        ((None, True), LEASE_S),
        ((True, True, False, True), 0),
    ],
)
async def test_a_new_leader_is_patient_when_the_ledger_was_away(answers, patience_s):
    scene = Scene()
    await scene.asked(*answers)
    assert scene.patience_s == patience_s


async def test_a_leader_that_starts_with_the_ledger_is_patient():
    scene = Scene(server_age_s=2.0)
    await scene.asked(True)
    assert scene.patience_s == LEASE_S
