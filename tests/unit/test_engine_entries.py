"""How a hand-over looks in BullMQ."""

from uuid import UUID

from haulier.engine.entries import OPTIONS, data_of, entry_id, handed_of, options_of, worker_options
from haulier.job import Handed

HANDED = Handed(UUID("01936f3e-9c1a-7c4e-8a53-0c6f2c9f9f10"), 3)


def test_an_entry_id_reads_back_as_its_hand_over():
    assert entry_id(HANDED) == "01936f3e-9c1a-7c4e-8a53-0c6f2c9f9f10.3"
    assert handed_of(entry_id(HANDED)) == HANDED


def test_an_entry_id_has_no_colon_which_the_node_package_refuses():
    assert ":" not in entry_id(HANDED)


def test_ids_that_are_not_ours_read_as_none():
    for foreign in ("", "1", "repeat:x:1", "nonsense.1", f"{HANDED.job_id}", f"{HANDED.job_id}.", f"{HANDED.job_id}.x"):
        assert handed_of(foreign) is None


def test_the_data_is_plain_json():
    assert data_of(HANDED) == {"job_id": str(HANDED.job_id), "handover": 3}


def test_gap_2_no_option_uses_the_broken_limiter_or_global_concurrency():
    worker = worker_options(prefix="{haulier}", name="w", slots=10, lease_s=15)
    assert {"limiter", "rateLimit", "globalConcurrency"}.isdisjoint(OPTIONS | worker)


def test_one_attempt_without_delay_or_backoff_since_the_ledger_retries():
    options = options_of(HANDED)
    assert options["attempts"] == 1
    assert {"delay", "backoff", "priority"}.isdisjoint(options)


def test_finished_entries_are_kept_for_a_day_and_failed_ones_for_a_week():
    assert OPTIONS["removeOnComplete"]["age"] == 86_400
    assert OPTIONS["removeOnFail"] == {"age": 604_800}


def test_locks_follow_the_lease():
    options = worker_options(prefix="{haulier}", name="w", slots=10, lease_s=15)
    assert options["lockDuration"] == 15_000
    assert options["stalledInterval"] == 5_000
