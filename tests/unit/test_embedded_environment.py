"""What children get: the user's settings first, then the home's."""

import pytest

from haulier.embedded.environment import announced, check_storage, own_settings, reachable
from haulier.embedded.greeting import greeting
from haulier.embedded.home import Home, Secrets
from haulier.errors import ConfigurationError
from haulier.settings import Secret

SECRETS = Secrets(
    jwt_secret=Secret("j" * 43),
    url_secret=Secret("u" * 43),
    postgres_password=Secret("p"),
    valkey_password=Secret("v"),
    receipt_key=Secret("r" * 43),
)


def settings_for(tmp_path, host="127.0.0.1", **environ):
    return own_settings(environ, home=Home(tmp_path), secrets=SECRETS, host=host, port=8123)


def test_what_is_not_set_comes_from_the_home(tmp_path):
    assert settings_for(tmp_path) == {
        "HAULIER_STORAGE_URL": (tmp_path / "store").as_uri(),
        "HAULIER_PUBLIC_URL": "http://127.0.0.1:8123",
        "HAULIER_JWT_SECRET": "j" * 43,
        "HAULIER_URL_SECRET": "u" * 43,
        "HAULIER_RECEIPT_KEY": "r" * 43,
        "HAULIER_HOST": "127.0.0.1",
        "HAULIER_PORT": "8123",
    }


def test_what_the_user_set_stays(tmp_path):
    given = {
        "HAULIER_STORAGE_URL": "s3://bucket",
        "HAULIER_PUBLIC_URL": "https://files.example",
        "HAULIER_RECEIPT_KEY": "k" * 43,
    }
    assert not given.keys() & settings_for(tmp_path, **given).keys()


def test_a_jwt_secret_of_the_user_signs_links_on_every_node(tmp_path):
    assert not {"HAULIER_JWT_SECRET", "HAULIER_URL_SECRET"} & set(settings_for(tmp_path, HAULIER_JWT_SECRET="x" * 32))


def test_keys_of_an_identity_provider_replace_the_secret_and_leave_links_to_the_home(tmp_path):
    ours = settings_for(tmp_path, HAULIER_JWKS_URL="https://id.example/keys")
    assert "HAULIER_JWT_SECRET" not in ours
    assert ours["HAULIER_URL_SECRET"] == "u" * 43


@pytest.mark.parametrize(
    ("host", "written"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("127.0.0.1", "127.0.0.1"), ("files.local", "files.local")],
)
def test_clients_are_told_an_address_that_they_can_reach(tmp_path, host, written):
    assert reachable(host) == written
    assert settings_for(tmp_path, host=host)["HAULIER_PUBLIC_URL"] == f"http://{written}:8123"


def test_a_store_in_memory_is_refused_because_two_processes_cannot_share_it():
    with pytest.raises(ConfigurationError, match="HAULIER_STORAGE_URL"):
        check_storage({"HAULIER_STORAGE_URL": "memory:"})


def test_only_our_variables_are_announced():
    assert announced({"HAULIER_PORT": "1", "HAULIER_HOST": " ", "PATH": "/bin"}) == {"HAULIER_PORT": "1"}


def test_the_greeting_names_address_data_and_a_line_to_paste(tmp_path):
    text = greeting(settings_for(tmp_path), home=tmp_path, demo=False)
    assert "http://127.0.0.1:8123/v1/download/initiate" in text
    assert "-H 'Authorization: Bearer ey" in text
    assert str(tmp_path / "store" / "downloads" / "70000.zip") in text


def test_the_greeting_makes_no_token_that_would_be_refused(tmp_path):
    environ = settings_for(tmp_path) | {"HAULIER_JWT_AUDIENCE": "files"}
    assert "Bearer $TOKEN" in greeting(environ, home=tmp_path, demo=True)
