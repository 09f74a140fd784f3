"""Names of log events: documented, and used nowhere but through their list."""

import re
from pathlib import Path

from haulier.observe import events

ROOT = Path(__file__).parents[2]
NAMES = {name: value for name, value in vars(events).items() if name.isupper()}


def test_the_documentation_lists_every_event():
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert [value for value in NAMES.values() if f"`{value}`" not in text] == []


def test_no_event_is_named_where_it_is_logged():
    named = re.compile(r"\blog\.(?:debug|info|warning|error|exception)\(\s*[\"']")
    found = [path.name for path in (ROOT / "src").rglob("*.py") if named.search(path.read_text("utf-8"))]
    assert found == []


def test_no_event_is_listed_in_vain():
    code = "".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py") if path.name != "events.py")
    assert [name for name in NAMES if not re.search(rf"\b{name}\b", code)] == []
