"""What bash, zsh and fish complete, asked in the real shells; the program is not on PATH, but named by its path."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.loopback import JOB, Loopback, answer, completed, loopback, refusing, status

OTHER = "0190a6c0-0000-7000-8000-000000000002"
CHANNEL = "0190a6c0-0000-7000-8000-0000000000c1"

# Each prints a candidate a line for the words that it is given, as the shell itself would ask for them.
BASH = """
source <("$1" --show-completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
compopt() { printf '%s\\n' "<files>"; }
_haulier_completion "$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
compdef() { }
_files() { print -l "<files>" }
_describe() { print -rl -- "${(@P)3}" }
source <("$1" --show-completion zsh)
words=("$@"); CURRENT=$#
_haulier_completion
"""
FISH = """
$argv[1] --show-completion fish | source
complete -C (string join ' ' -- $argv)
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
BARE = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}


@pytest.fixture
async def api() -> AsyncGenerator[Loopback]:
    async with loopback() as server:
        page = {"jobs": [completed(), status(job_id=OTHER)], "total": 2, "page": 1, "limit": 50, "next_cursor": None}
        server.on("GET", "/v1/download/jobs", answer(page))
        channel = {"channel_id": CHANNEL, "kind": "webhook", "status": "active", "label": "it's: mine"}
        server.on("GET", "/v1/channels", answer({"channels": [channel], "limit": 10}))
        letters = [{"job_id": JOB, "error": {"code": "worker_lost", "message": "Lost."}}]
        server.on("GET", "/v1/admin/dead-letters", answer({"dead_letters": letters, "limit": 50}))
        yield server


@pytest.fixture(params=["bash", "zsh", "fish"])
def complete(request: pytest.FixtureRequest, api: Loopback, tmp_path: Path):
    """`await complete("status", "")`: the lines that the shell gets for these words."""
    shell = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    program = tmp_path / "bin" / "haulier"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m haulier "$@"\n')
    program.chmod(0o755)
    (tmp_path / "here.zip").touch()

    async def complete_(*words: str) -> list[str]:
        name = [] if shell == "fish" else [shell]
        process = await asyncio.create_subprocess_exec(
            *(shell, *BARE[shell], "-c", SCRIPTS[shell], *name, "bin/haulier", *words),
            cwd=tmp_path,
            env=os.environ | {"HAULIER_URL": api.url, "HAULIER_TOKEN": "t", "HOME": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 30)
        return [line for line in out.decode().splitlines() if line]

    return complete_


def values(lines: list[str]) -> list[str]:
    return [line.partition("\t")[0].partition(":")[0] for line in lines]


def are_files(lines: list[str]) -> bool:
    return lines == ["<files>"] or "here.zip" in values(lines)


async def test_commands_and_options(complete) -> None:
    assert values(await complete("st")) == ["status", "storage"]
    assert values(await complete("status", "--w")) == ["--watch"]


async def test_ids_of_jobs(complete) -> None:
    for command in ("get", "receipt", "status", "cancel"):
        assert values(await complete(command, JOB[:-1])) == [JOB, OTHER]


async def test_ids_of_channels_and_dead_letters_and_names_of_preparers(complete) -> None:
    assert values(await complete("channels", "test", "0")) == [CHANNEL]
    assert values(await complete("dead-letters", "show", "0")) == [JOB]
    assert "archive" in values(await complete("preparers", "show", "ar"))


async def test_file_names_where_files_are_meant_and_nowhere_else(complete) -> None:
    assert are_files(await complete("get", "70000", "-o", "he"))
    assert are_files(await complete("verify", "he"))
    for words in (("channels", "test", "he"), ("dead-letters", "show", "he"), ("preparers", "show", "he")):
        assert await complete(*words) == []


async def test_an_api_that_does_not_answer_offers_nothing(complete, api: Loopback) -> None:
    with refusing() as url:
        api.url = url
        assert await complete("cancel", "0") == []


async def test_apostrophes_and_colons_survive(complete) -> None:
    line = (await complete("channels", "test", "0"))[0]
    assert line.removeprefix(CHANNEL) in {"", "\tit's: mine", ":it's: mine"}


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
async def test_fish_completes_a_program_that_is_not_on_path_once_it_is_installed(api: Loopback, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "haulier"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m haulier "$@"\n')
    program.chmod(0o755)
    for command in (f"{program} --install-completion fish", "complete -C 'bin/haulier cancel '"):
        process = await asyncio.create_subprocess_exec(
            *("fish", "-c", command),
            cwd=tmp_path,
            env=os.environ | {"HOME": str(tmp_path), "HAULIER_URL": api.url, "HAULIER_TOKEN": "t"},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert values(out.decode().splitlines()) == [JOB, OTHER]


@pytest.mark.parametrize(("shell", "word"), [("bash", "COMPREPLY"), ("zsh", "#compdef"), ("fish", "commandline")])
async def test_the_script_is_that_of_the_shell_that_is_named(tmp_path: Path, shell: str, word: str) -> None:
    async def run(*args: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "haulier", *args),
            env=os.environ | {"HOME": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    assert word in (await run("--show-completion", shell))[1]
    code, said = await run("--install-completion", shell)
    assert (code, f"Completion for {shell} is in {tmp_path}" in said) == (0, True)
    assert (await run("--show-completion", "tcsh"))[0] == 2
