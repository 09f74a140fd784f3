"""Addresses and tokens: what is given, what a running home lends, and where it must not go."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from haulier.cli.access import connect
from haulier.cli.home import surroundings
from haulier.embedded.home import Home
from haulier.errors import ConfigurationError
from haulier.limits import Role

SECRET = "0123456789abcdef0123456789abcdef"
RUNNING = {"HAULIER_PUBLIC_URL": "http://127.0.0.1:9000/", "HAULIER_JWT_SECRET": SECRET}


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that an `up` runs on, as far as the command line can see."""
    embedded: Any = ModuleType("haulier.embedded.home")
    embedded.running_environment = lambda _home: dict(RUNNING)
    auth: Any = ModuleType("haulier.api.auth")
    auth.mint_token = lambda secret, *, user, role, ttl_s, now, issuer, audience: f"{user}.{role}.{ttl_s}"
    monkeypatch.setitem(sys.modules, "haulier.embedded.home", embedded)
    monkeypatch.setitem(sys.modules, "haulier.api.auth", auth)
    return tmp_path


def address_and_token(home: Path, *, url: str | None = None, token: str | None = None) -> tuple[str, str]:
    transport: Any = connect(url=url, given_token=token, user="ada", home=home)._transport
    bearer: str | Callable[[], str] = transport._token
    return transport.url, bearer if isinstance(bearer, str) else bearer()


def test_a_running_home_lends_address_and_token(home: Path) -> None:
    assert address_and_token(home) == ("http://127.0.0.1:9000", "ada.premium.300")


def test_a_running_home_lends_an_admin_s_token_to_those_who_ask(home: Path) -> None:
    client: Any = connect(url=None, given_token=None, user="op", role=Role.ADMIN, home=home)
    assert client._transport._token() == "op.admin.300"


def test_what_is_given_wins(home: Path) -> None:
    assert address_and_token(home, url="https://h.example/", token="mine") == ("https://h.example", "mine")


def test_localhost_is_the_home_too(home: Path) -> None:
    assert address_and_token(home, url="http://localhost:9000")[1] == "ada.premium.300"


def test_a_home_s_token_goes_nowhere_else(home: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"HAULIER_TOKEN: is required for https://elsewhere\.example"):
        connect(url="https://elsewhere.example", given_token=None, user="ada", home=home)


def test_without_a_home_it_is_said_how_to_have_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing runs there; start `haulier up`(.|\n)*HAULIER_TOKEN"):
        connect(url=None, given_token=None, user="ada", home=tmp_path / "none")


def test_a_home_that_is_not_ready_is_told_as_such(tmp_path: Path) -> None:
    with Home(tmp_path).held(), pytest.raises(ConfigurationError, match="starting or stopping; try again"):
        connect(url=None, given_token=None, user="ada", home=tmp_path)


def test_the_environment_wins_over_the_home_but_not_when_blank(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAULIER_JWT_SECRET", "other")
    monkeypatch.setenv("HAULIER_PUBLIC_URL", " ")
    around = surroundings(home)
    assert (around["HAULIER_JWT_SECRET"], around["HAULIER_PUBLIC_URL"]) == ("other", "http://127.0.0.1:9000/")


@pytest.mark.parametrize("url", ["http://", "https://[::1", "ftp://h", "h.example", "http://h:port"])
def test_what_is_no_address_is_named(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="HAULIER_URL"):
        connect(url=url, given_token="t", user="ada", home=tmp_path / "none")


def test_a_token_that_no_header_can_carry_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="HAULIER_TOKEN") as caught:
        connect(url=None, given_token="secret\nX-Evil: 1", user="ada", home=tmp_path / "none")
    assert "secret" not in str(caught.value)


def test_a_line_end_behind_a_token_is_forgiven(tmp_path: Path) -> None:
    assert address_and_token(tmp_path / "none", token="mine\n")[1] == "mine"
