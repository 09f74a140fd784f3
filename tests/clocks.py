"""The ledger's clock, in the hands of tests."""


def later_by(seconds: float) -> str:
    """The statement after which it is so much later for a database than it is."""
    return (
        "create or replace function haulier_now() returns timestamptz language sql stable parallel safe"
        f" as $$ select now() + interval '{seconds} seconds' $$"
    )
