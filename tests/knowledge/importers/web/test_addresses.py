"""Which addresses are acceptable, over a long table of forms."""

from __future__ import annotations

import httpx
import pytest

from bot.knowledge.importers.source import Unreadable
from bot.knowledge.importers.web.addresses import parse_address, same_site


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
