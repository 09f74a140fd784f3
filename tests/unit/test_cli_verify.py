"""`haulier verify`, `receipt`, `receipt-key` and `get --receipt` as a user runs them."""

import asyncio
import os
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from haulier.cli.program import app
from haulier.receipt_keys import private_key, public_text
from haulier.receipts import ReceiptSigner, open_receipt, read_keys
from haulier.wire_receipts import ReceiptBuild, ReceiptInput
from tests.loopback import CONTENT, JOB, Loopback, Reply, answer, completed, loopback, problem, ranged, status
from tests.receipts import KEYS, OTHER_SEED, archive, manifest, receipt, signed

WHOLE = archive()
PUBLIC = KEYS.keys[0].x


class Done(msgspec.Struct):
    code: int
    out: str
    err: str


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the program in a folder with `report.zip`, its receipt `r.json` and the keys `k.json`."""
    (tmp_path / "report.zip").write_bytes(WHOLE)
    (tmp_path / "r.json").write_bytes(signed(WHOLE))
    (tmp_path / "k.json").write_bytes(msgspec.json.encode(KEYS))
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("HAULIER_"):
            monkeypatch.delenv(name)

    def run(*args: str, **environ: str) -> Done:
        done = CliRunner().invoke(app, list(args), env=environ)
        assert "defect" not in done.stderr
        return Done(done.exit_code, done.stdout, done.stderr)

    return run


def verify(run, *more: str, file: str = "report.zip", **environ: str) -> Done:
    return run("verify", file, "--receipt", "r.json", *more, **environ)


@pytest.mark.parametrize("trusted", [("--keys", "k.json"), ("--key", PUBLIC)])
def test_the_right_file_exits_with_0(run, trusted):
    done = verify(run, *trusted)
    assert (done.code, done.err) == (0, "")
    marks = [line[0] for line in done.out.splitlines()]
    assert marks == [" ", " ", "✓", "✓", "✓", "✓"]
    assert "3 in the manifest: 3 good" in done.out


def test_it_says_what_the_file_was_made_of(run, tmp_path):
    build = ReceiptBuild("0.1.0", "archive", "1", "a" * 64, JOB, 1, "2026-11-23T10:00:01Z", "2026-11-23T10:00:05Z")
    inputs = (ReceiptInput("downloads/a", '"e"', 5),)
    (tmp_path / "r.json").write_bytes(signed(WHOLE, build=build, inputs=inputs, inputs_total=1_200))
    assert "of 1,200 sources by archive 1, haulier 0.1.0" in verify(run, "--keys", "k.json").out


def test_a_changed_file_exits_with_1_and_names_the_damage(run, tmp_path):
    at = WHOLE.index(b"a/report.csv") + 40
    (tmp_path / "report.zip").write_bytes(WHOLE[:at] + b"\xaa" + WHOLE[at + 1 :])
    done = verify(run, "--keys", "k.json")
    assert done.code == 1
    assert "3 in the manifest: 2 good, 1 damaged" in done.out
    assert "a/report.csv" in done.out
    assert "does not vouch for" in done.out
    assert done.err.endswith("[verification_failed]\n")


def test_without_a_trusted_key_it_says_so_and_exits_with_1(run):
    done = verify(run)
    assert done.code == 1
    assert "! signature  not checked" in done.out
    assert "--keys" in done.err


def test_the_signature_can_be_left_alone_but_never_by_a_variable(run):
    assert verify(run, "--no-signature").code == 0
    assert verify(run, HAULIER_NO_SIGNATURE="1").code == 1


def test_keys_can_come_from_the_environment(run):
    assert verify(run, HAULIER_RECEIPT_KEYS="k.json").code == 0


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (msgspec.json.encode(ReceiptSigner(OTHER_SEED).sign(receipt(WHOLE))), "not among the trusted"),
        (signed(WHOLE).replace(b'"jws":"ey', b'"jws":"ex'), ""),
        (signed(WHOLE).replace(b"70000", b"70001", 1), "not what was signed"),
        (signed(b"another file"), "not the file of the receipt"),
    ],
    ids=["another-key", "broken", "readable-part", "another-file"],
)
def test_a_receipt_that_does_not_hold_verifies_nothing(run, tmp_path, made, word):
    (tmp_path / "r.json").write_bytes(made)
    done = verify(run, "--keys", "k.json")
    assert done.code in ({1} if word else {1, 2})
    assert word in done.out + done.err


@pytest.mark.parametrize(
    "args",
    [
        ("verify", "none", "-r", "r.json", "-k", "k.json"),
        ("verify", ".", "-r", "r.json", "-k", "k.json"),
        ("verify", "report.zip", "-r", "none", "-k", "k.json"),
        ("verify", "report.zip", "-r", "report.zip", "-k", "k.json"),
        ("verify", "report.zip", "-r", "r.json", "-k", "none"),
        ("verify", "report.zip", "-r", "r.json", "-k", "r.json"),
        ("verify", "report.zip", "-r", "r.json", "--key", "short"),
        ("verify", "report.zip", "-r", "r.json", "--url", "ftp://x"),
    ],
)
def test_what_cannot_be_read_exits_with_2(run, args):
    assert run(*args).code == 2


def test_json_tells_all_of_it(run, tmp_path):
    content = archive({"there": b"1", "extra": b"2"}, listed=manifest({"there": b"1", "gone": b"3"}))
    (tmp_path / "report.zip").write_bytes(content)
    (tmp_path / "r.json").write_bytes(signed(content))
    done = verify(run, "--keys", "k.json", "--json", "--all")
    found = msgspec.json.decode(done.out)
    assert (done.code, found["ok"], found["signature"]["state"]) == (1, False, "good")
    states = {entry["name"]: entry["state"] for entry in found["archive"]["listed"]}
    assert states == {"there": "good", "extra": "extra", "gone": "missing"}


def test_hostile_names_do_not_steer_the_terminal(run, tmp_path):
    hostile = {"\x1b[2J\x1b]0;gotcha": b"1", "[red]x": b"2"}
    content = archive(hostile, listed=manifest({}))
    (tmp_path / "report.zip").write_bytes(content)
    done = verify(run, "--no-signature")
    assert "\x1b" not in done.out + done.err
    assert "[red]x" in done.out


def test_a_long_list_is_cut_for_people(run, tmp_path):
    content = archive({f"{n}": b"" for n in range(300)}, listed=manifest({}))
    (tmp_path / "report.zip").write_bytes(content)
    done = verify(run, "--no-signature")
    assert done.out.count("extra  ") < 150
    assert "100 of 300 entries" in done.err


def test_a_fresh_key_is_one_line_and_its_public_key_can_be_had(run):
    key = run("receipt-key").out.strip()
    public = run("receipt-key", "--public", HAULIER_RECEIPT_KEY=key).out.strip()
    assert public == public_text(private_key(key).public_key())
    assert "HAULIER_RECEIPT_KEY" in run("receipt-key", "--public").err


@pytest.fixture
async def api():
    async with loopback() as server:
        server.on("POST", "/v1/download/initiate", answer(status()))
        server.on("GET", f"/v1/download/status/{JOB}", answer(completed()))
        server.on("GET", f"/v1/download/file/{JOB}", Reply(307, b"", {"Location": "/store/report.bin"}))
        server.on("GET", "/store/report.bin", ranged)
        # Each is dated and signed anew.
        dated = [Reply(200, signed(CONTENT, issued_at=f"2026-11-23T10:00:0{second}.000Z")) for second in range(9)]
        server.on("GET", f"/v1/download/receipt/{JOB}", *dated)
        server.on("GET", "/v1/receipt-keys", Reply(200, msgspec.json.encode(KEYS)))
        yield server


@pytest.fixture
def beside(api: Loopback, run):
    """Run it beside that API."""

    async def beside(*args: str) -> Done:
        return await asyncio.to_thread(run, *args, HAULIER_URL=api.url, HAULIER_TOKEN="secret-token")

    return beside


async def test_get_saves_a_receipt_that_verifies_the_file(beside):
    done = await beside("get", "70000", "--receipt", "got.json")
    assert done.code == 0, done.err
    assert "Saved the receipt as got.json" in done.err
    done = await beside("verify", "report.bin", "--receipt", "got.json", "--keys", "k.json")
    assert done.code == 0, done.err


async def test_keys_are_fetched_when_none_are_at_hand(beside, api: Loopback):
    assert (await beside("verify", "report.zip", "--receipt", "r.json")).code == 0
    assert "authorization" not in api.to("/v1/receipt-keys")[0].headers


async def test_get_refuses_to_replace_a_file_by_a_receipt_before_anything_is_asked_for(beside, api: Loopback):
    done = await beside("get", "70000", "--receipt", "report.zip")
    assert (done.code, api.seen) == (1, [])
    assert "target_exists" in done.err


async def test_the_same_receipt_is_no_obstacle_and_another_one_is(beside, tmp_path: Path):
    for words in ("Saved the receipt as got.json", "The receipt is there already as got.json"):
        done = await beside("get", "70000", "--receipt", "got.json")
        assert (done.code, words in done.err) == (0, True), done.err
    other = (tmp_path / "r.json").read_bytes()
    done = await beside("get", "70000", "--receipt", "r.json")
    assert (done.code, "target_exists" in done.err, (tmp_path / "r.json").read_bytes()) == (1, True, other)
    assert (tmp_path / "report.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("places", [("-o", "x", "--receipt", "./x"), ("--receipt", "report.bin")])
async def test_a_file_is_not_replaced_by_its_receipt(beside, api: Loopback, tmp_path: Path, places: tuple[str, ...]):
    done = await beside("get", "70000", *places, "--force")
    assert (done.code, "cannot both be" in done.err, (tmp_path / "x").exists()) == (2, True, False)
    assert not (tmp_path / "report.bin").exists()


async def test_get_keeps_the_file_when_there_are_no_receipts(beside, api: Loopback, tmp_path: Path):
    api.on("GET", f"/v1/download/receipt/{JOB}", problem(404, "receipts_off"))
    done = await beside("get", "70000", "--receipt", "got.json")
    assert done.code == 1
    assert "[receipts_off" in done.err
    assert (tmp_path / "report.bin").read_bytes() == CONTENT


async def test_a_receipt_is_printed_or_saved(beside, tmp_path: Path):
    printed = await beside("receipt", JOB)
    saved = await beside("receipt", JOB, "-o", "new.json")
    assert (printed.code, saved.code) == (0, 0)
    first, second = (open_receipt(raw).receipt for raw in (printed.out.encode(), (tmp_path / "new.json").read_bytes()))
    assert (first.job_id, first.artefact) == (JOB, second.artefact)
    assert "target_exists" in (await beside("receipt", JOB, "-o", "k.json")).err
    for option in ((), ("--force",)):  # the same once more
        assert (await beside("receipt", JOB, "-o", "new.json", *option)).code == 0
    assert "There is no folder none" in (await beside("receipt", JOB, "-o", "none/new.json")).err


async def test_the_public_keys_are_saved_without_a_token(beside, api: Loopback, tmp_path: Path):
    assert (await beside("receipt", "--keys", "-o", "keys.json")).code == 0
    assert read_keys((tmp_path / "keys.json").read_bytes()) == KEYS
    assert "authorization" not in api.seen[0].headers


async def test_an_answer_that_is_no_receipt_is_one_sentence(beside, api: Loopback):
    body = msgspec.json.decode(signed(CONTENT)) | {"jws": "a.b.c"}
    api.on("GET", f"/v1/download/receipt/{JOB}", answer(body))
    done = await beside("receipt", JOB)
    assert done.code == 1
    assert done.err.startswith("The API's receipt is of no use")
