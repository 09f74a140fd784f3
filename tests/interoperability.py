"""The npm packages of tests/node, installed when a test first needs one."""

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

NODE = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def node_packages():
    """tests/node/node_modules, installed once although test processes run side by side."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: npm packages cannot be tried")
    lock_file = NODE / "package-lock.json"
    installed = NODE / "node_modules/.package-lock.json"
    with (NODE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists() or installed.stat().st_mtime < lock_file.stat().st_mtime:
            install = ["npm", "ci", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(install, cwd=NODE, check=True, timeout=150)
    return NODE / "node_modules"
