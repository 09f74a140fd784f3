"""What goes to stdout is whole, however narrow the terminal is."""

import json

import pytest

from haulier.cli.printing import print_table, table
from haulier.cli.stdout import print_json
from haulier.wire import Cancelled

JOB = "0193f2a0-0000-7000-8000-000000000000"


@pytest.mark.parametrize("columns", ["20", "80", "300"])
def test_no_id_is_cut(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    lines = table("job", "for", "status", "progress", "age", "size", right=("progress", "age", "size"))
    lines.add_row(JOB, "file 70000", "processing", "100 %", "2 min 30 s", "34.6 MB")
    print_table(lines)
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["job", "for", "status", "progress", "age", "size"]
    assert " ".join(row.split()) == f"{JOB} file 70000 processing 100 % 2 min 30 s 34.6 MB"


def test_what_may_be_long_is_folded_and_not_cut(capsys):
    lines = table("job", "error", folds=("error",))
    lines.add_row(JOB, "word " * 100)
    print_table(lines)
    assert capsys.readouterr().out.count("word") == 100


def test_text_that_looks_like_markup_is_printed_as_it_is(capsys):
    lines = table("error")
    lines.add_row("[bold]no[/bold] [source_missing]")
    print_table(lines)
    assert "[bold]no[/bold] [source_missing]" in capsys.readouterr().out


def test_a_shape_is_one_line_of_json(capsys):
    print_json(Cancelled(JOB))
    out = capsys.readouterr().out
    assert out.endswith("\n")
    assert json.loads(out) == {"job_id": JOB, "status": "cancelled"}
