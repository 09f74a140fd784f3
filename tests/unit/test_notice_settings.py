"""Mail servers, addresses, keys and apprise URLs as text: what is taken, and what is said of the rest."""

from uuid import uuid4

import pytest

from haulier import settings
from haulier.destinations.apprise_urls import HOSTED, operator_channels, problem_of, services_of
from haulier.destinations.mail_address import bare_address, is_mail_address, masked, same_address
from haulier.destinations.smtp_url import SmtpServer, smtp_server
from haulier.destinations.vapid_keys import fresh_vapid_key, public_point, vapid_key
from haulier.errors import ConfigurationError
from haulier.settings import Secret
from haulier.stop_tokens import StopTokens, channel_named_by

PASSWORD = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", SmtpServer(host="mail.example", port=587, security="starttls")),
        ("smtp://mail.example?starttls=no", SmtpServer(host="mail.example", port=25, security="none")),
        ("smtps://mail.example", SmtpServer(host="mail.example", port=465, security="tls")),
        (
            "smtp://a%40b.c:p%2Fw%3A%3F@[::1]:2525?starttls=yes",
            SmtpServer(host="::1", port=2525, security="starttls", login=("a@b.c", "p/w:?")),
        ),
    ],
)
def test_a_mail_server_is_one_url(url, server):
    assert smtp_server(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://mail.example",
        "smtp://",
        f"smtp://user:{PASSWORD}/x@mail.example",
        f"smtp://user:{PASSWORD}@mail.example:port",
        f"smtp://{PASSWORD}@mail.example",
        f"smtp://user:{PASSWORD}@mail.example?starttls=auto",
        f"smtp://user:{PASSWORD}@mail.example?ssl=no",
        f"smtps://user:{PASSWORD}@mail.example?starttls=no",
        f"smtp://user:{PASSWORD}@mail.example/path",
    ],
)
def test_what_is_no_mail_server_is_said_without_its_password(url):
    with pytest.raises(ValueError, match=r"must|may|is no URL") as raised:
        smtp_server(url)
    assert PASSWORD not in str(raised.value)


def test_a_mail_server_does_not_print_its_login():
    assert PASSWORD not in repr(smtp_server(f"smtp://user:{PASSWORD}@mail.example"))


@pytest.mark.parametrize("text", ["a@b.c", "first.last+tag@mail.example.org", "!#$%&'*+/=?^_`{|}~-@x-y.z"])
def test_a_plain_address_is_one(text):
    assert is_mail_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "@b",
        "a@",
        "a@b@c",
        "a b@c.d",
        "a@b..c",
        ".a@b.c",
        "a@-b.c",
        "a@b.c\n",
        "a\r\n@b.c",
        "<a@b.c>",
        "a@b.c,d@e.f",
        f"{'a' * 65}@b.c",
        f"a@{'b.' * 130}c",
    ],
)
def test_what_could_be_more_than_one_address_is_none(text):
    assert not is_mail_address(text)


def test_addresses_are_shown_masked_and_compared_without_the_domains_case():
    assert masked("anna@example.com") == "a***@example.com"
    assert same_address("anna@Example.com", "anna@example.COM")
    assert not same_address("Anna@example.com", "anna@example.com")
    assert bare_address("Down, Loads <a@b.c>") is None
    assert bare_address("Downloads <a@b.c>") == "a@b.c"
    assert bare_address("Downloads <a@b.c>\r\nBcc: x@y.z") is None


def test_a_vapid_key_gives_its_public_point():
    key = fresh_vapid_key()
    assert public_point(vapid_key(key)) == public_point(vapid_key(f" {key}= "))
    for wrong in ("", "x", key[:-2], "A" * 43, "_" * 43):
        with pytest.raises(ValueError, match="P-256") as raised:
            vapid_key(wrong)
        assert not wrong or wrong not in str(raised.value)


def test_operators_name_places_for_roles():
    places = operator_channels("ops=slack://a/b/c night:admin,premium=pover://u@t")
    assert places["ops"].is_for("free")
    assert not places["night"].is_for("free")
    assert places["night"].is_for("premium")
    assert "slack" not in repr(places["ops"])
    for wrong in (f"=slack://{PASSWORD}", f"ops=slack:{PASSWORD}", f"a=json://{PASSWORD} a=json://x", PASSWORD):
        with pytest.raises(ValueError, match="number") as raised:
            operator_channels(wrong)
        assert PASSWORD not in str(raised.value)


def test_services_are_listed_or_none():
    assert services_of("none") == ()
    assert services_of(" slack, discord,slack") == ("slack", "discord")
    with pytest.raises(ValueError, match="apprise"):
        services_of("slack://")


def test_hosted_services_lead_to_their_own_hosts_whatever_the_url_says():
    from importlib import import_module

    for schema, hosted in HOSTED.items():
        plugin = getattr(import_module(f"apprise.plugins.{hosted.module}"), hosted.plugin)
        assert schema in plugin.schemas(plugin)
        assert "{host}" not in str(plugin.templates)
        urls = [value for name, value in vars(plugin).items() if name.endswith("_url") and isinstance(value, str)]
        assert urls
        assert all(url.startswith("https://") for url in urls)


@pytest.mark.parametrize(
    "option",
    ["template=/etc/passwd", "attach=http://10.0.0.1/", "verify=no", "redirect=yes", "retry=3", "store=no", "+h=x"],
)
def test_options_that_read_files_or_send_twice_are_refused(option):
    assert problem_of(f"slack://a/b/c?{option}", services=("slack",))
    assert problem_of("slack://a/b/c?sound=x", services=("slack",)) is None


@pytest.mark.parametrize("ending", ["?to=x;template=/etc/passwd", "#?template=/etc/passwd", "?to=x?&%74emplate=/etc/x"])
def test_options_are_seen_wherever_apprise_finds_them(ending):
    assert problem_of(f"discord://1/a/{ending}", services=("discord",))
    assert problem_of("slack://a/b/c/#general?sound=x;to=y", services=("slack",)) is None


def test_a_stop_token_is_for_one_channel_one_value_and_one_secret():
    one, other = uuid4(), uuid4()
    old, new = Secret("o" * 32), Secret("n" * 32)
    tokens = StopTokens([new, Secret(), old])
    assert channel_named_by(tokens.make(one)) == one
    assert tokens.is_good(tokens.make(one))
    assert tokens.is_good(StopTokens([old]).make(one))
    assert not StopTokens([old]).is_good(tokens.make(one))
    assert tokens.is_good(tokens.make(one, value="a"), value="a")
    assert not tokens.is_good(tokens.make(one, value="a"), value="b")
    assert not tokens.is_good(tokens.make(one), value="a")
    assert not tokens.is_good(tokens.make(one, value="a"))
    mixed = tokens.make(other)[:20] + tokens.make(one)[20:]
    for wrong in ("", "x", mixed, tokens.make(one)[:-1], tokens.make(one) + "A", "é" * 64):
        assert not tokens.is_good(wrong)


@pytest.mark.parametrize(
    ("variable", "environ"),
    [
        ("HAULIER_SMTP_URL", {"HAULIER_SMTP_URL": "smtp:x", "HAULIER_MAIL_FROM": "a@b.c"}),
        ("HAULIER_MAIL_FROM", {"HAULIER_SMTP_URL": "smtp://mail.example"}),
        ("HAULIER_MAIL_FROM", {"HAULIER_MAIL_FROM": "nobody"}),
        ("HAULIER_VAPID_KEY", {"HAULIER_VAPID_KEY": "x", "HAULIER_VAPID_SUBJECT": "mailto:a@b.c"}),
        ("HAULIER_VAPID_SUBJECT", {"HAULIER_VAPID_KEY": fresh_vapid_key()}),
        ("HAULIER_VAPID_SUBJECT", {"HAULIER_VAPID_SUBJECT": "a@b.c"}),
        ("HAULIER_APPRISE_SERVICES", {"HAULIER_APPRISE_SERVICES": "Slack!"}),
        ("HAULIER_APPRISE_CHANNELS", {"HAULIER_APPRISE_CHANNELS": "ops:boss=slack://a/b/c"}),
    ],
)
def test_wrong_settings_are_named(variable, environ):
    with pytest.raises(ConfigurationError, match=f"^{variable}: "):
        settings.load(environ)
