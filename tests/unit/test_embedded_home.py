"""The home folder: one owner, private secrets, and an honest answer about what runs."""

import os
import stat

import msgspec
import pytest

from haulier.embedded import ports
from haulier.embedded.home import Home, running_environment
from haulier.errors import ConfigurationError, HomeInUse
from haulier.receipt_keys import private_key


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_home_is_for_its_user_only(home):
    with home.held():
        home.secrets()
        with home.announced({"HAULIER_PORT": "8080"}):
            assert mode(home.folder) == 0o700
            assert mode(home.store) == 0o700
            assert {mode(home.folder / name) for name in ("lock", "secrets.json", "runtime.json")} == {0o600}


def test_a_second_owner_is_told_who_holds_the_home(home):
    with home.held(), pytest.raises(HomeInUse) as refused, Home(home.folder).held():
        pass
    assert str(os.getpid()) in refused.value.detail
    assert str(home.folder) in refused.value.detail


def test_a_home_is_free_again_after_its_owner(home):
    with home.held():
        pass
    with home.held():
        pass


def test_secrets_are_made_once_and_never_print(home):
    with home.held():
        first = home.secrets()
        again = home.secrets()
    values = [getattr(first, name).reveal() for name in first.__struct_fields__]
    assert values == [getattr(again, name).reveal() for name in again.__struct_fields__]
    assert len(set(values)) == 5
    assert min(map(len, values)) >= 43
    assert not [value for value in values if value in repr(first)]


def test_a_home_of_an_older_version_gets_a_key_for_receipts_and_keeps_its_secrets(home):
    with home.held():
        old = {name: name * 5 for name in ("jwt_secret", "url_secret", "postgres_password", "valkey_password")}
        (home.folder / "secrets.json").write_bytes(msgspec.json.encode(old))
        first = home.secrets()
        again = home.secrets()
    assert {name: getattr(first, name).reveal() for name in old} == old
    assert private_key(first.receipt_key.reveal())
    assert first.receipt_key.reveal() == again.receipt_key.reveal()
    assert mode(home.folder / "secrets.json") == 0o600


def test_a_damaged_secrets_file_is_named(home):
    with home.held():
        (home.folder / "secrets.json").write_text("{}")
        with pytest.raises(ConfigurationError, match=r"secrets\.json"):
            home.secrets()


def test_no_two_servers_get_one_port(home, monkeypatch):
    monkeypatch.setattr(ports, "is_free", lambda port: True)
    monkeypatch.setattr(ports, "_QUIET", few := range(20_000, 20_020))
    monkeypatch.setattr(ports, "_DRAWS", len(few))
    with home.held():
        chosen = home.ports(*(f"server {number}" for number in few))
    assert sorted(chosen.values()) == list(few)


def test_a_remembered_port_is_not_taken_from_who_is_going_to_listen_there(home):
    with home.held():
        before = home.ports("postgres")["postgres"]
        assert home.ports("postgres", taken=[before])["postgres"] != before


def test_what_the_system_offers_is_not_taken_twice_either(monkeypatch):
    monkeypatch.setattr(ports, "is_free", lambda port: False)
    first = ports.free_port()
    assert ports.free_port(taken=[first]) != first


def test_ports_stay_the_same_while_they_are_free(home):
    with home.held():
        first = home.ports("valkey", "postgres")
        assert home.ports("valkey", "postgres") == first
        assert len(set(first.values())) == 2


def test_a_running_home_tells_its_environment(home):
    with home.held(), home.announced({"HAULIER_PORT": "8080"}):
        assert running_environment(home.folder) == {"HAULIER_PORT": "8080"}


def test_a_home_that_starts_has_no_environment_yet(home):
    with home.held(), pytest.raises(ConfigurationError, match="starting or stopping"):
        running_environment(home.folder)


def test_a_folder_without_a_home_says_that_nothing_runs(tmp_path):
    with pytest.raises(ConfigurationError, match="nothing runs there"):
        running_environment(tmp_path / "none")


def test_what_a_killed_home_left_is_not_believed(home):
    with home.held():
        pass
    (home.folder / "runtime.json").write_bytes(msgspec.json.encode({"HAULIER_PORT": "1"}))
    with pytest.raises(ConfigurationError, match="nothing runs there"):
        running_environment(home.folder)
    with home.held(), pytest.raises(ConfigurationError, match="starting"):
        running_environment(home.folder)
