"""The npm packages below clients/: installed once, and each built once, for all test processes.

Tests of any of them call `prepared()` first, which skips where Node is missing, and then `npm(...)`. What is built of
others than @haulier/client they name: `prepared("react")`.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parents[1] / "clients"
INSTALL_S = 150
_SOURCES = {".ts", ".tsx", ".css", ".html", ".json", ".mjs"}
_INSTALLED = CLIENTS / "node_modules/.installed"


def prepared(*packages: str) -> Path:
    """clients/ with its packages installed, and @haulier/client and then `packages` built.

    Skips the test where Node or npm is missing.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: the clients for browsers and Node cannot be tried")
    with (CLIENTS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _once(_INSTALLED, [CLIENTS / "package-lock.json"], "ci", "--silent")
        sources = _sources()
        for package in ("typescript", *packages):
            if package != "typescript":
                sources = [*sources, *_files(package)]
            _build(package, sources)
    return CLIENTS


def npm(*words: str, timeout_s: float) -> None:
    """Run npm in clients/; what it printed is in the AssertionError when it fails."""
    done = subprocess.run(
        ["npm", *words],
        cwd=CLIENTS,
        env=os.environ | {"HAULIER_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"npm {' '.join(words)}\n{done.stdout[-8_000:]}\n{done.stderr[-4_000:]}"


def _build(package: str, sources: list[Path]) -> None:
    mark = CLIENTS / f"node_modules/.built-{package}"
    if not (CLIENTS / package / "dist").exists():
        mark.unlink(missing_ok=True)
    _once(mark, sources, "run", "build", "-w", package, "--silent")


def _once(mark: Path, inputs: list[Path], *words: str) -> None:
    """Run npm unless it was run for just these inputs."""
    digest = _digest(inputs)
    if mark.exists() and mark.read_text() == digest:
        return
    npm(*words, timeout_s=INSTALL_S)
    mark.write_text(digest)


def _sources() -> list[Path]:
    """What decides how the build of the client looks: the sources, and those of the OpenAPI document."""
    house = CLIENTS.parent / "src/haulier"
    return [
        *_files("typescript"),
        _INSTALLED,
        *(house / "api").rglob("*.py"),
        *house.glob("wire*.py"),
        *(house / "errors").glob("*.py"),
    ]


def _files(package: str) -> list[Path]:
    found = (path for path in (CLIENTS / package).rglob("*") if path.suffix in _SOURCES)
    return [path for path in found if not {"dist", "node_modules", "test", "e2e", "schema.ts"} & set(path.parts)]


def _digest(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(CLIENTS.parent)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
