"""Tables on stdout."""

from collections.abc import Collection

from rich.console import Console
from rich.table import Table

WIDTH = 200  # at least: a terminal that is narrower wraps lines, but no id or name is cut


def table(*names: str, folds: Collection[str] = (), right: Collection[str] = ()) -> Table:
    """An empty table; columns that `fold` may be of any length, those `right` hold numbers."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        justify = "right" if name in right else "left"
        made.add_column(name, no_wrap=name not in folds, overflow="fold", justify=justify)
    return made


def print_table(filled: Table) -> None:
    """The table, however narrow the terminal is."""
    Console(width=max(Console().width, WIDTH), markup=False).print(filled)
