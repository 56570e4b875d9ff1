"""Which machines may be reached, over a long table. That only those are: see the importers' and the outbox's tests."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from bot.network import look_up, refusal

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2400:cb00::1",
    "2a00:1450:4001:82a::200e",
    "64:ff9b::8.8.8.8",
]
REFUSED = {
    # unspecified and "this network"
    "0.0.0.0": "unspecified",
    "0.0.0.1": "unspecified",
    "0.255.255.255": "unspecified",
    "::": "unspecified",
    # loopback
    "127.0.0.1": "loopback",
    "127.0.0.53": "loopback",
    "127.255.255.255": "loopback",
    "::1": "loopback",
    # private
    "10.0.0.0": "private",
    "10.255.255.255": "private",
    "172.16.0.0": "private",
    "172.31.255.255": "private",
    "192.168.0.0": "private",
    "192.168.255.255": "private",
    "fc00::": "private",
    "fd00:ec2::254": "private",
    "fdff:ffff::1": "private",
    # shared by a provider (CGNAT); a cloud's metadata is there too
    "100.64.0.0": "provider's internal",
    "100.100.100.200": "provider's internal",
    "100.127.255.255": "provider's internal",
    # link-local, metadata of most clouds
    "169.254.0.0": "link-local",
    "169.254.169.254": "link-local",
    "169.254.255.255": "link-local",
    "fe80::1": "link-local",
    "febf::1": "link-local",
    "fec0::1": "site-local",
    # multicast and broadcast
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "ff02::1": "multicast",
    "ff0e::1": "multicast",
    "255.255.255.255": "reserved",
    # reserved, documentation, benchmarks
    "192.0.0.1": "reserved",
    "192.0.0.192": "reserved",
    "192.0.2.1": "documentation",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "198.18.0.1": "benchmarking",
    "198.19.255.255": "benchmarking",
    "240.0.0.1": "reserved",
    "192.88.99.1": "6to4",
    "168.63.129.16": "cloud platform",
    "2001:db8::1": "documentation",
    "3fff::1": "documentation",
    "2001:2::1": "reserved",
    "2001:10::1": "reserved",
    "100::1": "reserved",
    "4000::1": "reserved",
    "5f00::1": "reserved",
    "e000::1": "reserved",
    # IPv4 within IPv6
    "::ffff:127.0.0.1": "IPv4-mapped",
    "::ffff:10.0.0.1": "IPv4-mapped",
    "::ffff:169.254.169.254": "IPv4-mapped",
    "::ffff:8.8.8.8": "IPv4-mapped",
    "::ffff:0:127.0.0.1": "IPv4-translated",
    "::127.0.0.1": "IPv4-compatible",
    "::8.8.8.8": "IPv4-compatible",
    "64:ff9b::127.0.0.1": "loopback",
    "64:ff9b::10.0.0.1": "private",
    "64:ff9b::169.254.169.254": "link-local",
    "64:ff9b::100.64.0.1": "provider's internal",
    "64:ff9b:1::8.8.8.8": "private translated",
    "2002:7f00:1::": "6to4",
    "2002:a00:1::1": "6to4",
    "2002:808:808::1": "6to4",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": "Teredo",
    "2001::1": "Teredo",
    # with a zone
    "fe80::1%eth0": "local",
    "2606:4700::1%1": "local",
}


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_reached(address: str) -> None:
    assert refusal(ip_address(address)) is None


@pytest.mark.parametrize(("address", "kind"), REFUSED.items())
def test_all_others_may_not(address: str, kind: str) -> None:
    assert kind in (refusal(ip_address(address)) or "")


def test_nothing_is_allowed_that_python_calls_private() -> None:
    """The tables against the standard library's own: one address of every /16."""
    for high in range(256):
        for low in range(256):
            address = ip_address(f"{high}.{low}.2.1")
            if not address.is_global or address.is_multicast:
                assert refusal(address), address


def test_the_systems_own_look_up() -> None:
    assert "127.0.0.1" in look_up("127.0.0.1", 80)
    with pytest.raises(OSError, match=r"."):
        look_up("nowhere.invalid", 80)
