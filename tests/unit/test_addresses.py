"""Which addresses fetch may reach."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.addresses import AddressRules

REFUSED = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "192.0.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "168.63.129.16", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "fec0::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::8.8.8.8",
    "2002:7f00:1::", "2002:0a00:0001::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808",
    "2001:0:5ef5:79fb:0:0:0:1",
]  # fmt: skip
ALLOWED = ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]


refusal = AddressRules().refusal


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused(address: str):
    assert refusal(ip_address(address)) is not None


@pytest.mark.parametrize("address", ALLOWED)
def test_a_public_address_is_allowed(address: str):
    assert refusal(ip_address(address)) is None


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_in_ipv6_never_makes_it_allowed(address):
    number = int(address)
    wrapped = [
        ip_address(int(ip_address("::ffff:0:0")) + number),
        ip_address(int(ip_address("64:ff9b::")) + number),
        ip_address(int(ip_address("2002::")) + (number << 80)),
    ]
    if refusal(address) is not None:
        assert all(refusal(one) is not None for one in wrapped)


# ---- what settings allow


def rules(*networks: str, allow_private: bool = False) -> AddressRules:
    return AddressRules(allow_private=allow_private, networks=tuple(ip_network(network) for network in networks))


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "fd12::7", "8.8.8.8"])
def test_a_named_network_is_allowed(address: str):
    assert rules("10.1.0.0/16", "fd12::/64").refusal(ip_address(address)) is None


@pytest.mark.parametrize("address", ["10.2.0.1", "127.0.0.1", "::ffff:10.2.0.1", "fd13::7", "169.254.169.254"])
def test_a_named_network_allows_no_other(address: str):
    assert rules("10.1.0.0/16", "fd12::/64").refusal(ip_address(address)) is not None


METADATA = ["169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254",
            "fd20:ce::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]  # fmt: skip


@pytest.mark.parametrize("address", METADATA)
def test_cloud_metadata_is_opened_neither_by_all_private_addresses_nor_by_a_network_around_it(address: str):
    assert rules("0.0.0.0/0", "::/0", allow_private=True).refusal(ip_address(address)) is not None


def test_cloud_metadata_is_opened_by_its_very_address():
    assert rules("169.254.169.254/32").refusal(ip_address("169.254.169.254")) is None
    assert rules("169.254.169.254/32").refusal(ip_address("169.254.170.2")) is not None


@given(st.ip_addresses())
def test_all_private_addresses_are_allowed_but_metadata(address):
    reason = rules(allow_private=True).refusal(address)
    assert reason in {None, "it is an address of cloud metadata"}
