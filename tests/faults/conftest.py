"""The table of fault tests: each adds a line, and the end of the run prints them all."""

import statistics
from collections.abc import Callable, Sequence

import pytest

from tests.faults.oracle import Oracle, Verdict
from tests.faults.outages import outages
from tests.faults.scale import FULL

KEY = "faults"
COLUMNS = ("fault", "rounds", "jobs", "lost", "wrong", "changed", "repeated attempts", "recovery s p50 / max", "remark")


@pytest.fixture
def note(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Add a line to the table: `note("worker killed", verdicts, recovery_s=[…])`."""

    def add(
        fault: str,
        verdicts: Sequence[Verdict],
        *,
        rounds: int | None = None,
        recovery_s: Sequence[float] = (),
        remark: str = "",
    ) -> None:
        recovery = f"{statistics.median(recovery_s):.1f} / {max(recovery_s):.1f}" if recovery_s else "–"
        total = [sum(getattr(v, name) for v in verdicts) for name in ("jobs", "lost", "wrong", "changed", "duplicates")]
        record_property(KEY, [fault, rounds or len(verdicts), *total, recovery, remark])

    return add


@pytest.fixture
async def broken(tmp_path):
    """A fleet behind proxies; see outages.py."""
    async with outages(tmp_path / "home") as broken:
        yield broken


@pytest.fixture
async def oracle(broken):
    async with Oracle(broken.house) as oracle:
        yield oracle


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for group in ("passed", "failed") for report in terminalreporter.stats.get(group, [])]
    lines = [value for report in reports for key, value in report.user_properties if key == KEY]
    if not lines:
        return
    terminalreporter.write_line(f"\nFaults ({'full' if FULL else 'fast subset'}):\n")
    for cells in (COLUMNS, ["---"] * len(COLUMNS), *sorted(lines, key=lambda line: str(line[0]))):
        padded = [*cells, *[""] * (len(COLUMNS) - len(cells))]
        terminalreporter.write_line("| " + " | ".join(str(cell) for cell in padded) + " |")
