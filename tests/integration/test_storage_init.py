"""`haulier storage init` on the real server, and on a folder."""

import uuid

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from haulier.cli.program import app
from tests.s3 import REGION, S3_MARKS

pytestmark = [*S3_MARKS]

FOREIGN = {"ID": "logs", "Filter": {"Prefix": "logs/"}, "Status": "Enabled", "Expiration": {"Days": 3}}


@pytest.fixture
def init(monkeypatch, tmp_path):
    """Run `storage init` on a store, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(url: str, *args: str, **environ: str):
        return CliRunner().invoke(app, ["storage", "init", *args], env={"HAULIER_STORAGE_URL": url} | environ)

    return run


@pytest.fixture
def fresh(s3_server, s3_credentials):
    """(the name of a bucket that does not exist, its URL, botocore's client)."""
    name = f"init-{uuid.uuid4().hex[:12]}"
    return name, f"s3://{name}?endpoint={s3_server.endpoint}&region={REGION}", s3_server.client


def rules(client, bucket: str):
    return client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]


def test_it_makes_a_bucket_with_rules_and_then_finds_nothing_to_do(init, fresh):
    name, url, client = fresh

    first, second = init(url), init(url)

    assert first.exit_code == 0, first.output
    assert f"create {name}" in first.stdout
    assert {rule["ID"] for rule in rules(client, name)} == {"haulier-artefacts", "haulier-uploads"}
    assert (second.exit_code, second.stdout.splitlines()[-1]) == (0, "Nothing to do.")


def test_versioning_and_cors_follow_the_settings(init, fresh):
    name, url, client = fresh
    asked = {"HAULIER_STORAGE_VERSIONING": "on", "HAULIER_STORAGE_CORS_ORIGINS": "https://a.example, https://b.example"}

    done, again = init(url, **asked), init(url, **asked)

    assert done.exit_code == 0, done.output
    assert client.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert "haulier-versions" in {rule["ID"] for rule in rules(client, name)}
    (rule,) = client.get_bucket_cors(Bucket=name)["CORSRules"]
    assert sorted(rule["AllowedOrigins"]) == ["https://a.example", "https://b.example"]
    assert again.stdout.splitlines()[-1] == "Nothing to do."
    init(url, HAULIER_STORAGE_VERSIONING="off")
    assert client.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"


def test_rules_of_others_survive(init, s3_server, fresh):
    name, url, client = fresh
    client.create_bucket(Bucket=name)
    client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [FOREIGN]})

    done = init(url, HAULIER_STORAGE_EXPIRE_DAYS="30")

    assert "1 of others kept" in done.stdout
    found = {rule["ID"]: rule for rule in rules(client, name)}
    assert found["logs"] == FOREIGN
    assert found["haulier-artefacts"]["Expiration"] == {"Days": 30}


def test_a_dry_run_changes_nothing(init, fresh):
    name, url, client = fresh

    done = init(url, "--dry-run", HAULIER_STORAGE_VERSIONING="on")

    assert done.exit_code == 0
    assert done.stdout.count("would do") == 3
    with pytest.raises(ClientError, match="404"):
        client.head_bucket(Bucket=name)


def test_wrong_credentials_are_said_in_a_sentence(init, fresh, monkeypatch):
    _, url, _ = fresh
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")

    done = init(url)

    assert done.exit_code == 1
    assert "bucket: the secret key does not fit the access key." in done.stderr
    assert "wrong-secret" not in done.output


def test_an_endpoint_that_is_away_is_said_in_a_sentence(init, s3_credentials):
    done = init("s3://bucket?endpoint=http://127.0.0.1:9")

    assert (done.exit_code, "the endpoint cannot be reached" in done.stderr) == (1, True)


def test_a_folder_is_made_once(init, tmp_path):
    url = f"file://{tmp_path}/a/store"

    assert "would create" in init(url, "--dry-run").stdout
    assert not (tmp_path / "a").exists()
    assert init(url).stdout == f"created the folder {tmp_path}/a/store\n"
    assert (tmp_path / "a/store").is_dir()
    assert init(url).stdout == "Nothing to do: the folder exists.\n"


def test_a_store_must_be_named(init):
    done = init("")

    assert (done.exit_code, "HAULIER_STORAGE_URL: is required" in done.stderr) == (2, True)
