"""Which addresses fetch may reach."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.preparers.addresses import AddressRules

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
