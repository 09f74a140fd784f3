"""The program as a whole: help, environment names, errors and exit codes."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from haulier.cli import services
from haulier.cli.failures import EXIT_CODES
from haulier.cli.program import app
from haulier.errors import HomeInUse

COMMANDS = [
    "up",
    "get",
    "status",
    "watch",
    "jobs",
    "cancel",
    "receipt",
    "verify",
    "token",
    "receipt-key",
    "vapid-key",
    "env",
    "doctor",
    "openapi",
    "api",
    "worker",
    "migrate",
    "channels",
    "dead-letters",
    "preparers",
    "storage",
]
JOB, OTHER = "0193f2a0-0000-7000-8000-000000000000", "0193f2a0-0000-7000-8000-000000000001"
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    """Run the program in an empty folder with nothing set."""
    import os

    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("HAULIER_"):
            monkeypatch.delenv(name)
    return lambda *args, **environ: CliRunner().invoke(app, list(args), env=environ)


def options() -> Iterator[tuple[str, Any]]:
    root: Any = typer.main.get_command(app)
    commands = list(root.commands.items())
    for name, command in commands:
        commands += [(f"{name} {inner}", each) for inner, each in getattr(command, "commands", {}).items()]
        for param in command.params:
            if param.param_type_name == "option" and param.name != "help":
                yield name, param


def test_all_commands_are_there() -> None:
    root: Any = typer.main.get_command(app)
    assert list(root.commands) == COMMANDS


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("up --port abc", "'abc' is no whole number"),
        ("token --user x --ttl 0", "0 is too small, at least 1"),
        ("token --user=", "a user's name has 1 to 255 characters"),
        ("get 70000 --user=", "a user's name has 1 to 255 characters"),
        ("jobs --limit 101", "101 is too large, at most 100"),
        ("jobs --status done", "'done' is not one of 'queued'"),
    ],
)
def test_an_option_that_does_not_fit_is_told_in_our_words(run: Any, command: str, words: str) -> None:
    done = run(*command.split())
    assert (done.exit_code, f"): {words}" in done.stderr) == (2, True), done.stderr


WITH_IDS = (
    ("status",),
    ("cancel",),
    ("cancel", "--batch"),
    ("jobs", "--batch"),
    ("receipt",),
    ("channels", "remove"),
    ("channels", "redeliver"),
    ("dead-letters", "show"),
    ("dead-letters", "retry"),
)


@pytest.mark.parametrize("command", WITH_IDS)
def test_what_is_no_id_is_told_in_our_words(run: Any, command: tuple[str, ...]) -> None:
    done = run(*command, "7")
    assert (done.exit_code, "'7' is no id, like 0" in done.stderr) == (2, True), done.stderr


# A variable that was exported once must not retry everything without a question, nor believe every receipt; and what is
# chosen of one file must not be sent for every other one.
SAID_EACH_TIME = [
    "get param",
    "get notify",
    "verify no_signature",
    "dead-letters retry everything",
    "dead-letters retry yes",
]


def test_every_option_is_a_variable_and_says_what_it_does() -> None:
    without = [f"{name} {param.name}" for name, param in options() if not (param.envvar or "").startswith("HAULIER_")]
    assert without == SAID_EACH_TIME
    assert [f"{name} {param.name}" for name, param in options() if not param.help] == []


@pytest.mark.parametrize(
    "command",
    [
        *COMMANDS,
        "channels add-webhook",
        "channels log",
        "channels add-email",
        "channels add-apprise",
        "channels confirm",
        "channels send-code",
        "channels kinds",
        "dead-letters show",
        "dead-letters retry",
        "preparers show",
        "storage init",
    ],
)
def test_help_has_examples_and_no_noise(run: Any, command: str) -> None:
    text = run(*command.split(), "--help").stdout
    assert "Examples:\n  haulier " in text
    assert re.findall(r"<[a-z\[\] ]+>", text) == []
    assert "{" not in text.split("Options:")[0]


def test_help_lists_the_exit_codes(run: Any) -> None:
    assert "130  interrupted" in run("--help").stdout


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom haulier.cli.program import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print([name for name in ('httpx', 'rich', 'asyncpg', 'bullmq', 'obstore') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_openapi_document_needs_no_settings(run: Any) -> None:
    document = json.loads(run("openapi", "--url", "https://downloads.example.com/").stdout)
    assert document["servers"] == [{"url": "https://downloads.example.com"}]
    assert "/v1/download/initiate" in document["paths"]


def test_each_missing_variable_has_its_own_line(run: Any) -> None:
    done = run("api")
    assert done.exit_code == 2
    lines = done.stderr.splitlines()
    for name in ("HAULIER_REDIS_URL", "HAULIER_DATABASE_URL", "HAULIER_STORAGE_URL", "HAULIER_JWT_SECRET"):
        assert sum(line.strip().startswith(f"{name}: is required") for line in lines) == 1


def test_a_worker_needs_no_token_secret(run: Any) -> None:
    done = run("worker")
    assert done.exit_code == 2
    assert "HAULIER_JWT_SECRET" not in done.stderr


def test_a_wrong_variable_of_an_option_is_named(run: Any) -> None:
    done = run("api", HAULIER_PORT="eighty")
    assert done.exit_code == 2
    assert "HAULIER_PORT" in done.stderr


def test_a_secret_that_is_wrong_is_not_printed(run: Any) -> None:
    done = run("api", HAULIER_DATABASE_URL="mysql://root:hunter2@db/x", HAULIER_JWT_SECRET="short-one")
    assert done.exit_code == 2
    assert "HAULIER_DATABASE_URL: must start with" in done.stderr
    assert "hunter2" not in done.output
    assert "short-one" not in done.output


def test_an_error_is_one_sentence_with_its_code(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_use(**_: Any) -> None:
        raise HomeInUse(home=".haulier", pid=7)

    monkeypatch.setattr(services, "_configured", in_use)
    done = run("api")
    assert done.exit_code == 1
    assert done.stderr == (
        ".haulier is in use by process 7. Stop it, or choose another folder with --home. [home_in_use]\n"
    )


def test_a_defect_shows_its_traceback_only_in_debug(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(services, "_configured", broken)
    done = run("api")
    assert done.exit_code == 1
    assert "HAULIER_DEBUG=1" in done.stderr
    assert "Traceback" not in done.stderr
    assert isinstance(run("--debug", "api").exception, ZeroDivisionError)
    assert isinstance(run("api", HAULIER_DEBUG="1").exception, ZeroDivisionError)


def test_without_a_token_the_way_to_one_is_told(run: Any) -> None:
    done = run("jobs")
    assert done.exit_code == 2
    assert "HAULIER_URL, HAULIER_TOKEN: name another API and a token for it" in done.stderr
    assert "haulier token --user" in done.stderr


def test_an_operator_is_told_to_get_an_admin_s_token(run: Any) -> None:
    assert "haulier token --user NAME --role admin" in run("dead-letters").stderr
    assert "--role admin" not in run("jobs").stderr


def test_whom_other_commands_speak_for_filters_no_dead_letters(run: Any) -> None:
    assert run("dead-letters", "retry", "--yes", "--token", "t", HAULIER_USER="ada").exit_code == 2


def test_an_api_that_is_not_there_is_one_sentence(run: Any) -> None:
    done = run("jobs", "--url", "http://127.0.0.1:9", "--token", "t")
    assert done.exit_code == 8
    assert done.stderr.startswith("No answer from http://127.0.0.1:9")
    assert done.stderr.rstrip().endswith("[unreachable]")


@pytest.mark.parametrize(
    "args",
    [
        ("get", "12"),
        ("get", "abc"),
        ("get", "200000000"),
        ("get",),
        ("status", "../../x"),
        ("jobs", "--status", "lost"),
        ("get", "70000", "--json", "-o", "-", "--token", "t"),
        ("get", "70000", "--url", "ftp://x", "--token", "t"),
        ("token",),
        ("token", "--user", "u"),
        ("up", "--port", "70000"),
        ("nonsense",),
        ("receipt", "--token", "t"),
        ("receipt", JOB, "--keys", "--token", "t"),
        ("receipt", "70000"),
        ("receipt-key", "--public"),
        ("verify", "file"),
        ("verify", "nowhere", "--receipt", "nowhere"),
        ("dead-letters", "nonsense"),
        ("dead-letters", "--limit", "0"),
        ("dead-letters", "--since", "yesterday", "--token", "t"),
        ("dead-letters", "--user", "ada", "retry", "--all", "--yes", "--token", "t"),
        ("dead-letters", "show"),
        ("dead-letters", "show", "70000"),
        ("dead-letters", "retry", "--yes", "--token", "t"),
        ("dead-letters", "retry", "--all", "--token", "t"),
        ("dead-letters", "retry", "--all", "--user", "ada", "--yes", "--token", "t"),
        ("dead-letters", "retry", "--since", "2 moons", "--yes", "--token", "t"),
        ("dead-letters", "retry", JOB, "--code", "worker_lost", "--token", "t"),
        ("dead-letters", "retry", JOB, OTHER, "--token", "t"),
    ],
)
def test_what_was_typed_wrong_exits_with_2(run: Any, args: tuple[str, ...]) -> None:
    assert run(*args).exit_code == 2


def test_the_target_is_refused_before_anything_is_prepared(run: Any, tmp_path: Any) -> None:
    (tmp_path / "there.zip").write_bytes(b"mine")
    done = run("get", "70000", "-o", "there.zip", "--token", "t", "--url", "http://127.0.0.1:9")
    assert done.exit_code == 1
    assert "target_exists" in done.stderr


def test_the_page_lists_every_command_and_exit_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    listed = page.split("## Commands")[1].split("\n## ")[0]
    first = re.findall(r"^\| (`.*?) \|", listed, re.MULTILINE)
    assert {name for cell in first for name in re.findall(r"`([\w-]+)`", cell)} == set(COMMANDS)
    codes = page.split("## Exit codes")[1].split("\n## ")[0]
    assert re.findall(r"^\| (\d+) \|", codes, re.MULTILINE) == re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE)
