"""The oracle finds what it is there to find: planted losses, damage and changes of mind."""

import pytest

from haulier.job import new_job_id
from tests.faults.fleet import fleet
from tests.faults.oracle import Oracle
from tests.faults.preparers import QUICK

pytestmark = pytest.mark.timeout(120)


async def test_the_oracle_finds_planted_faults(tmp_path):
    async with fleet(tmp_path / "home") as house, Oracle(house) as oracle, house.connection() as connection:
        damaged, changed, _ = await oracle.submit_many(range(QUICK, QUICK + 3), users=1)
        sound = await oracle.verdict()
        sound.assert_clean()
        assert (sound.completed, sound.duplicates, sound.leftovers) == (3, 0, 0)

        orphan = house.store / f"artifacts/{new_job_id()}/1/late.bin"
        orphan.parent.mkdir(parents=True)
        orphan.write_bytes(b"late")
        assert (await oracle.verdict()).leftovers == 1
        await oracle.assert_swept()
        assert not orphan.exists()

        key = await connection.fetchval("select artefact_key from jobs where id = $1::uuid", damaged)
        (house.store / key).write_bytes(b"damaged")
        assert (await oracle.verdict()).wrong == 1

        await connection.execute(
            "insert into job_events (job_id, version, status, attempt, reason, at)"
            " select job_id, version + 1, 'cancelled', attempt, 'cancelled', at from job_events"
            " where job_id = $1::uuid and status = 'completed'",
            changed,
        )
        assert (await oracle.verdict()).changed == 1

        oracle.accepted[str(new_job_id())] = QUICK
        verdict = await oracle.verdict(within_s=0)
        assert verdict.lost == 1
        with pytest.raises(AssertionError):
            verdict.assert_clean()
