"""The custom element: its tests, its size, and in Chromium on a page of another origin, against a real server."""

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.node_packages import npm, prepared

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "src/haulier/webui/haulier-download.js"
MOST_BYTES = 17_500
# One process: all of them build into the same folders.
pytestmark = [pytest.mark.node, pytest.mark.timeout(300), pytest.mark.xdist_group("react")]


@pytest.fixture(scope="module", autouse=True)
def packages() -> None:
    prepared()


def test_its_tests_pass():
    npm("run", "check", "-w", "element", timeout_s=120)
    npm("test", "-w", "element", timeout_s=120)


def test_it_is_small_for_a_page_that_only_wants_a_button():
    subprocess.run(["make", "-s", "web"], cwd=ROOT, check=True, timeout=120)
    assert len(gzip.compress(MODULE.read_bytes())) <= MOST_BYTES


def test_it_works_in_a_browser(monkeypatch: pytest.MonkeyPatch):
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("chromium is not installed: the custom element cannot be tried in a browser")
    monkeypatch.setenv("CHROMIUM", found)
    subprocess.run(["make", "-s", "web"], cwd=ROOT, check=True, timeout=120)
    npm("run", "e2e", "-w", "element", timeout_s=240)
