"""@haulier/react: its own tests on React 18 and 19, and the example page in Chromium against a Haulier of its own."""

import os
import shutil

import pytest

from tests.node_packages import npm, prepared

# One process: all of them build into the same folders.
pytestmark = [pytest.mark.node, pytest.mark.timeout(300), pytest.mark.xdist_group("react")]


@pytest.fixture(scope="module", autouse=True)
def packages() -> None:
    # The types of the example are those of the built package.
    prepared("react")


@pytest.fixture
def chromium(monkeypatch: pytest.MonkeyPatch) -> str:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("chromium is not installed: the download button cannot be tried in a browser")
    monkeypatch.setenv("CHROMIUM", found)
    return found


@pytest.mark.parametrize("package", ["react", "example"])
def test_the_types_are_right(package: str):
    npm("run", "check", "-w", package, timeout_s=120)


def test_its_tests_pass():
    npm("test", "-w", "react", timeout_s=120)


@pytest.mark.usefixtures("chromium")
def test_the_example_works_in_a_browser():
    prepared("react", "example")
    npm("run", "e2e", "-w", "react", timeout_s=240)
