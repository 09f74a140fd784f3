"""@haulier/client: its own tests, with the types checked, and with a server of its own that Node starts."""

import pytest

from tests.node_packages import npm, prepared

pytestmark = [pytest.mark.node, pytest.mark.timeout(300)]


# --ignore-scripts: `prepared` generated what "pretest" and "precheck" would generate again.
@pytest.fixture(scope="module", autouse=True)
def packages() -> None:
    prepared()


def test_the_types_are_right():
    npm("run", "check", "-w", "typescript", "--ignore-scripts", timeout_s=120)


def test_its_tests_pass():
    npm("test", "-w", "typescript", "--ignore-scripts", timeout_s=180)
