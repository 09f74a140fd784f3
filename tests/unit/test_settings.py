"""Settings: read once, wrong ones named, secrets never printed."""

from pathlib import Path

import msgspec
import pytest

from haulier.errors import ConfigurationError
from haulier.limits import Role
from haulier.settings import Secret, Settings, load, variable

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"


def problems(environ, **arguments):
    with pytest.raises(ConfigurationError) as caught:
        load(environ, **arguments)
    return caught.value.detail


def test_the_defaults_are_valid():
    assert load({}).port == 8080


def test_the_environment_sets_a_field():
    assert load({"HAULIER_PORT": "9000"}).port == 9000


def test_an_argument_beats_the_environment():
    assert load({"HAULIER_PORT": "9000"}, port=9001).port == 9001


def test_an_argument_that_was_not_given_does_not():
    assert load({"HAULIER_PORT": "9000"}, port=None).port == 9000


def test_every_wrong_variable_is_named_at_once():
    text = problems({"HAULIER_PORT": "many", "HAULIER_LEASE_S": "0", "HAULIER_LIMITS_FREE": "rate=x"})
    assert all(name in text for name in ("HAULIER_PORT", "HAULIER_LEASE_S", "HAULIER_LIMITS_FREE"))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("HAULIER_PORT", "many", "must be a whole number"),
        ("HAULIER_LEASE_S", "abc", "must be a number"),
        ("HAULIER_DOCS", "perhaps", "must be true or false"),
        ("HAULIER_CONCURRENCY", "0", "must be >= 1"),
        ("HAULIER_LOG_LEVEL", "loud", "must be one of debug, info, warning, error"),
    ],
)
def test_a_wrong_value_is_explained_without_python_words(name, value, sentence):
    assert problems({name: value}) == f"{name}: {sentence}"


def test_a_needed_variable_that_is_missing_is_named():
    assert "HAULIER_DATABASE_URL" in problems({}, need=("database_url",))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HAULIER_REDIS_URL", "http://localhost"),
        ("HAULIER_DATABASE_URL", "mysql://localhost"),
        ("HAULIER_STORAGE_URL", "ftp://x"),
        ("HAULIER_QUERY_DATABASE_URL", "mysql://x"),
        ("HAULIER_QUERY_DATABASES", "warehouse=mysql://x"),
        ("HAULIER_QUERY_DATABASES", "postgresql://x"),
        ("HAULIER_JWT_SECRET", "short"),
        ("HAULIER_JWT_ALGORITHM", "none"),
        ("HAULIER_PUBLIC_URL", "downloads.example.com"),
        ("HAULIER_CATALOGUE", "/nowhere/catalogue.toml"),
        ("HAULIER_LOG_LEVEL", "loud"),
        ("HAULIER_CONCURRENCY", "0"),
        ("HAULIER_FETCH_ALLOW_NETWORKS", "10.0.0.1/8"),
        ("HAULIER_FETCH_ALLOW_NETWORKS", "10.0.0.0/8 10.1.0.0/16"),
        ("HAULIER_RECEIPT_KEY", "short"),
        ("HAULIER_RECEIPT_KEY", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"),
        ("HAULIER_RECEIPT_OLD_KEYS", "short"),
        ("HAULIER_RECEIPT_OLD_KEYS", f"{'A' * 43},{'!' * 43}"),
    ],
)
def test_a_wrong_value_is_refused_with_its_variable(name, value):
    assert name in problems({name: value})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"HAULIER_JOB_RETENTION": "a month"}, "'a month' is not a duration"),
        ({"HAULIER_JOB_RETENTION": "1h"}, "must be from 1d to 36500d"),
        ({"HAULIER_EVENT_RETENTION": "40000d"}, "must be from 1d to 36500d"),
        ({"HAULIER_EVENT_RETENTION": "7d"}, "must not be shorter than HAULIER_JOB_RETENTION"),
    ],
)
def test_a_wrong_retention_is_explained(values, sentence):
    assert sentence in problems(values)


@pytest.mark.parametrize(("limits", "keep_s"), [("", 7_200), ("keep=7d", 604_800)])
def test_files_are_kept_as_the_role_says_or_else_as_all(limits, keep_s):
    settings = load({"HAULIER_ARTEFACT_TTL_S": "7200", "HAULIER_LIMITS_PREMIUM": limits})
    assert settings.keep_s(Role.PREMIUM) == keep_s


def test_public_keys_need_an_algorithm_that_has_some():
    assert "HAULIER_JWT_ALGORITHM" in problems({"HAULIER_JWKS_URL": "https://example.com/jwks"})


def test_a_secret_in_a_wrong_setting_is_not_repeated():
    assert "hunter2" not in problems({"HAULIER_DATABASE_URL": "mysql://user:hunter2@localhost"})
    assert "hunter2" not in problems({"HAULIER_QUERY_DATABASES": "a=mysql://user:hunter2@localhost"})


def test_a_receipt_key_that_is_wrong_is_not_repeated():
    assert "hunter2" not in problems({"HAULIER_RECEIPT_KEY": "hunter2"})


def test_secrets_do_not_print():
    settings = load({"HAULIER_JWT_SECRET": "x" * 32})
    assert "x" * 32 not in f"{settings} {settings.jwt_secret} {settings.jwt_secret!r}"
    assert settings.jwt_secret.reveal() == "x" * 32


def test_an_empty_secret_is_false():
    assert not Secret()


def test_networks_that_fetch_may_reach_are_a_list():
    settings = load({"HAULIER_FETCH_ALLOW_NETWORKS": " 10.1.0.0/16, fd12::/64,192.168.1.7 "})
    assert [str(network) for network in settings.fetch_networks] == ["10.1.0.0/16", "fd12::/64", "192.168.1.7/32"]
    assert load({}).fetch_networks == ()


def test_limits_of_a_role_follow_the_settings():
    assert load({"HAULIER_LIMITS_FREE": "running=7"}).limits(Role.FREE).running == 7


def test_three_heartbeats_fit_into_a_lease():
    assert load({"HAULIER_LEASE_S": "9"}).heartbeat_s == 3


def test_the_documentation_lists_every_setting():
    text = DOCS.read_text()
    missing = [field.name for field in msgspec.structs.fields(Settings) if f"`{variable(field.name)}`" not in text]
    assert missing == []


def test_the_bucket_deletes_artefacts_later_than_we_do():
    assert load({}).artefact_expiry_days == 8
    assert load({"HAULIER_ARTEFACT_TTL_S": str(30 * 86_400)}).artefact_expiry_days == 31
    assert load({"HAULIER_STORAGE_EXPIRE_DAYS": "2"}).artefact_expiry_days == 2
    assert "at least 2" in problems({"HAULIER_STORAGE_EXPIRE_DAYS": "1"})


@pytest.mark.parametrize("origin", ["https://app.example", "http://localhost:5173", "*", "https://*.example", ""])
def test_an_origin_is_scheme_and_host(origin):
    assert load({"HAULIER_STORAGE_CORS_ORIGINS": origin}).cors_origins == ((origin,) if origin else ())


@pytest.mark.parametrize("origin", ["app.example", "https://app.example/", "https://a.example,b.example"])
def test_what_is_no_origin_is_refused(origin):
    assert "HAULIER_STORAGE_CORS_ORIGINS" in problems({"HAULIER_STORAGE_CORS_ORIGINS": origin})
