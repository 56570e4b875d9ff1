"""Which addresses are acceptable, over a long table of forms."""

from __future__ import annotations

from ipaddress import ip_address

import httpx
import pytest

from bot.knowledge.importers.source import Unreadable
from bot.knowledge.importers.web.addresses import parse_address, refusal, same_site

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


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("https://help.example.com", "https://help.example.com/"),
        ("HTTPS://Help.Example.COM:443/a", "https://help.example.com/a"),
        ("http://example.com:80/", "http://example.com/"),
        ("https://example.com:8443/a?b=c", "https://example.com:8443/a?b=c"),
        ("https://example.com./a", "https://example.com/a"),
        ("https://example.com/a#part", "https://example.com/a"),
        ("  https://example.com/a \n", "https://example.com/a"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("https://example.com/a/../b", "https://example.com/b"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("http://127。0。0。1/", "http://127.0.0.1/"),
        ("http://[2606:4700::1]/", "http://[2606:4700::1]/"),
    ],
)
def test_an_address_has_one_form(text: str, same: str) -> None:
    assert str(parse_address(text)) == same


@pytest.mark.parametrize(
    "text",
    [
        # other than the web
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "data:text/html,x",
        "unix:/run/docker.sock",
        "//example.com/",
        "example.com",
        "",
        "https://",
        "https:///a",
        # credentials
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://example.com@127.0.0.1/",
        "https://good.example\\@127.0.0.1/",
        # ports
        "http://example.com:22/",
        "http://example.com:25/",
        "http://example.com:6379/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:-80/",
        # IPv4 in other forms: decimal, octal, hexadecimal, short, with zeros in front
        "http://2130706433/",
        "http://017700000001/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://0/",
        "http://127.000.000.001/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
        "http://0x7f.1./",
        "http://example.0x/",
        # digits of other scripts
        "http://①②⑦.0.0.1/",
        "http://１２７.0.0.1/",
        # zones and broken IPv6
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[::1/",
        "http://[v1.x]/",
        # hosts no name server knows
        "http://exa mple.com/",
        "http://example..com/",
        "http://.example.com/",
        "http://example.com../",
        "http://-example.com/",
        "http://127.0.0.1%09/",
        "http://a\\.b/",
        "http://a%00b/",
        "http://exa\nmple.com/",
        f"http://{'a' * 64}.com/",
        f"http://{'a.' * 130}com/",
        f"https://example.com/{'a' * 2100}",
    ],
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse_address(text)
    assert caught.value.remedy


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(Unreadable) as caught:
        parse_address("https://user:secret@example.com/")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://example.com/a", "https://example.com/b", True),
        ("https://example.com/", "https://www.example.com/", True),
        ("http://example.com/", "https://example.com/", True),
        ("https://example.com/", "https://help.example.com/", False),
        ("https://example.com/", "https://example.com:8443/", False),
        ("https://example.com/", "https://example.com.evil.test/", False),
        ("https://example.com/", "https://evilexample.com/", False),
    ],
)
def test_a_site_is_a_host_and_a_port(one: str, other: str, same: bool) -> None:
    assert same_site(httpx.URL(one), httpx.URL(other)) is same
