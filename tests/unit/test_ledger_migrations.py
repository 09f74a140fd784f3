"""Migrations beside processes of the version before."""

import re

from haulier.ledger.migrations import scripts

BEFORE = {"migrations/0002_fair_queue.sql", "migrations/0005_retention.sql"}


def test_no_migration_drops_a_function_that_comes_back_with_a_later_file():
    dropped = {name for name, text in scripts() if name.startswith("migrations/") and re.search("drop function", text)}
    assert dropped == BEFORE
