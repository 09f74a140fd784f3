"""Dead letters as an operator meets them, and channels: a real installation and the command line."""

import json
import re

import pytest

from tests.acceptance.installation import Installation, eventually

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(150)]

NOBODYS = "0193f2a0-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    home = tmp_path_factory.mktemp("dead-letters") / "home"
    with Installation(home, "--workers", "1") as installation:
        yield installation


def dead(house: Installation, file_id: int, *, user: str) -> str:
    """The id of a job of the user that failed."""
    got = house.haulier("get", str(file_id), "--json", check=False, HAULIER_USER=user)
    assert got.returncode == 3, got.stderr
    return json.loads(got.stdout.splitlines()[0])["job"]["job_id"]


def letters(house: Installation, *words: str) -> list[dict]:
    return json.loads(house.haulier("dead-letters", "--json", *words).stdout)["dead_letters"]


def test_a_letter_is_listed_shown_and_retried_once_its_cause_is_gone(house):
    job_id = dead(house, 71_000, user="ada")
    assert job_id in house.haulier("dead-letters", "--user", "ada", "--since", "1h").stdout
    shown = house.haulier("dead-letters", "show", job_id).stdout
    assert re.search(r"^user +ada \(premium\)$", shown, re.MULTILINE)
    assert re.search(r"^1 +\S+ +\S+Z +[\d.]+ s +failed +What .* \[source_missing\]$", shown.strip(), re.MULTILINE)

    source = house.home / "store" / "downloads" / "71000.zip"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(b"here it is")
    retried = house.haulier("dead-letters", "retry", job_id)
    assert retried.stdout.startswith(f"{job_id} retried as ")
    assert "1 dead letter retried." in retried.stderr
    eventually(lambda: letters(house, "--user", "ada")[0].get("retry_status") == "completed")
    assert "is retried by" in house.haulier("dead-letters", "retry", job_id).stdout


def test_many_are_retried_by_filter_but_not_without_a_yes(house):
    failed = {dead(house, 72_000 + number, user="bea") for number in range(3)}
    which = ("dead-letters", "retry", "--user", "bea", "--code", "source_missing")
    refused = house.haulier(*which, check=False)
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    looked = house.haulier(*which, "--dry-run")
    assert {line.split()[0] for line in looked.stdout.splitlines()} == failed
    assert "3 dead letters would be retried." in looked.stderr
    done = json.loads(house.haulier(*which, "--yes", "--json").stdout)
    assert ({job["job_id"] for job in done["jobs"]}, done["retried"]) == (failed, 3)


def test_what_is_no_letter_is_told_and_does_not_stop_the_others(house):
    job_id = dead(house, 73_000, user="cleo")
    shown = house.haulier("dead-letters", "show", NOBODYS, check=False)
    assert (shown.returncode, "[job_not_found, request" in shown.stderr) == (1, True)
    retried = house.haulier("dead-letters", "retry", "--yes", NOBODYS, job_id, check=False)
    assert retried.returncode == 1
    assert f"{NOBODYS}: There is no such job" in retried.stderr
    assert retried.stdout.startswith(f"{job_id} retried as ")


def test_an_ordinary_token_is_refused(house):
    refused = house.haulier("dead-letters", check=False, HAULIER_TOKEN=house.token("dora", "premium"))
    assert (refused.returncode, "[forbidden, request" in refused.stderr) == (6, True)


def test_a_webhook_is_added_tested_and_removed_by_the_command_line(house):
    added = house.haulier("channels", "add-webhook", "https://hook.invalid/", "--on", "failed", "--json")
    made = json.loads(added.stdout)
    channel = made["channel_id"]
    assert made["secret"].startswith("whsec_")
    assert channel in house.haulier("channels", "list").stdout
    sent = house.haulier("channels", "test", channel).stdout.split()[0]
    eventually(lambda: "its host has no address" in house.haulier("channels", "log", channel).stdout)
    assert house.haulier("channels", "redeliver", sent).stdout == f"{sent} is on its way\n"
    assert house.haulier("channels", "remove", channel).stdout == f"{channel} is removed\n"
