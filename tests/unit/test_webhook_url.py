"""Where a webhook may lead, by its URL."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.addresses import AddressRules
from haulier.destinations.webhook_url import refusal, target_of

PUBLIC = AddressRules()
PRIVATE = AddressRules(allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook?token=x",
        "https://example.com:8443/",
        "https://8.8.8.8/hook",
        "https://[2606:4700::1111]/hook",
        "https://bücher.example/",
    ],
)
def test_public_addresses_are_fine(url):
    assert refusal(url, rules=PUBLIC) is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.com/", "https://"),
        ("ftp://example.com/", "https://"),
        ("javascript:alert(1)", "https://"),
        ("example.com/hook", "https://"),
        ("https://", "host"),
        ("https://user:password@example.com/", "password"),
        ("https://@example.com/", "password"),
        ("https://example.com/#part", "fragment"),
        ("https://example.com:22/", "port"),
        ("https://example.com:6667/", "port"),
        ("https://example.com:0/", "port"),
        ("https://example.com:99999/", "port"),
        ("https://exa mple.com/", "spaces"),
        ("https://example.com/\u2028", "printable"),
        ("https://localhost/", "public"),
        ("https://db/", "public"),
        ("https://metadata.google.internal/", "public"),
        ("https://printer.local./", "public"),
        ("https://127.0.0.1/", "loopback"),
        ("https://10.0.0.1/", "private"),
        ("https://169.254.169.254/latest", "metadata"),
        ("https://[::1]/", "loopback"),
        ("https://[::ffff:10.0.0.1]/", "private"),
        ("https://example.com/" + "a" * 2_048, "2048"),
    ],
)
def test_others_are_refused_with_what_is_wrong(url, words):
    assert words in refusal(url, rules=PUBLIC)


def test_where_private_addresses_are_allowed_http_is_too():
    assert refusal("http://10.0.0.1:81/hook", rules=PRIVATE) is None
    assert refusal("http://receiver:81/hook", rules=PRIVATE) is None
    assert refusal("http://169.254.169.254/", rules=PRIVATE) == "is not allowed: it is an address of cloud metadata"
    network = AddressRules(networks=(ip_network("10.1.0.0/16"),))
    assert refusal("http://10.1.0.1/", rules=network) is None
    assert refusal("http://10.2.0.1/", rules=network) == "is not allowed: it is a private or reserved address"


@given(st.text(max_size=60) | st.builds("https://{}".format, st.text(max_size=60)))
def test_no_text_makes_it_raise(text):
    for rules in (PUBLIC, PRIVATE):
        if refusal(text, rules=rules) is None:
            target_of(text)


def test_what_is_shown_holds_neither_path_nor_query():
    assert target_of("https://hooks.example.com:8443/services/T0/B0/XXXX?key=y") == "https://hooks.example.com:8443/…"
    assert target_of("https://example.com") == "https://example.com/"
