"""The only way out: what is checked is what is connected to, with real connections."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import time

import pytest
import trustme

from bot.knowledge.importers.source import Unread
from bot.knowledge.importers.web import pages
from bot.network import Network
from tests.knowledge.importers.web.site import HOST, QUICK, Reply, Site, running_site


def test_this_machine_cannot_be_reached(site: Site) -> None:
    """The product's own rules, with nothing handed in but the port."""
    site.page("/a")
    for host in ("127.0.0.1", "localhost", "[::1]", "localhost."):
        address = f"http://{host}:{site.port}/a"
        (found,) = pages(address, "html", QUICK, Network(ports=frozenset({site.port})))
        assert isinstance(found, Unread)
        assert "a loopback address" in found.reason
    assert site.asked == []


def test_only_the_ports_of_websites_are_asked(site: Site) -> None:
    with pytest.raises(Exception, match="not one websites use"):
        pages(site.url(), "html", QUICK)


@pytest.mark.parametrize(
    "answers", [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "::1"], ["127.0.0.1", "10.0.0.1"]]
)
def test_one_private_answer_among_public_ones_refuses_all(site: Site, answers: list[str]) -> None:
    site.page("/a")
    found = site.none(f"http://mixed.test:{site.port}/a", network=site.network(mixed_test=answers))
    assert "'mixed.test' leads to" in found.reason
    assert site.asked == []


def test_a_name_server_that_changes_its_mind_has_no_effect(site: Site) -> None:
    """The first answer is good, all others lead elsewhere: one request needs one answer, and gets it."""
    site.page("/a")
    answers = iter([["127.0.0.1"], ["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2"]])
    asked = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    network = dataclasses.replace(site.network(), look_up=rebinding)
    with running_site("127.0.0.2", site.port) as other:
        other.page("/a", "Secret")
        assert site.one("/a", network=network).title == "Title"
        assert asked == [HOST, HOST], "one look-up for robots.txt, one for the page"
        assert "127.0.0.2" in site.none("/a", network=network).reason
        assert other.asked == []


def test_a_redirect_is_checked_anew(site: Site) -> None:
    with running_site("127.0.0.2", site.port) as other:
        other.page("/secret", "Secret")
        for target in (
            f"http://127.0.0.2:{site.port}/secret",
            f"http://inner.test:{site.port}/secret",
            f"http://[::ffff:127.0.0.2]:{site.port}/secret",
        ):
            site.routes["/a"] = Reply(status=302, headers={"Location": target})
            assert "only the public internet" in site.none("/a", network=site.network(inner_test="127.0.0.2")).reason
        assert other.asked == []


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data/", "http://2130706433/", "file:///etc/passwd"]
)
def test_a_redirect_to_a_machine_within_is_refused(site: Site, target: str) -> None:
    site.routes["/a"] = Reply(status=302, headers={"Location": target})
    assert site.none("/a").remedy
    assert site.paths == ["/a"]


def test_the_next_address_is_tried(site: Site) -> None:
    """A machine with several addresses, of which the first does not answer."""
    site.page("/a")
    network = dataclasses.replace(site.network(), look_up=lambda host, port: ["127.0.0.3", "127.0.0.1"], refusal=_none)
    assert site.one("/a", network=network).title == "Title"


def _none(address: object) -> str | None:
    return None


def test_an_unknown_name_is_reported(site: Site) -> None:
    found = site.none(f"http://nowhere.test:{site.port}/a")
    assert "nowhere.test is not known" in found.reason


def test_a_slow_name_server_does_not_hold_us_up(site: Site) -> None:
    def slow(host: str, port: int) -> list[str]:
        time.sleep(2)
        return ["127.0.0.1"]

    limits = dataclasses.replace(QUICK, request_seconds=0.2)
    began = time.monotonic()
    found = site.none("/a", limits=limits, network=dataclasses.replace(site.network(), look_up=slow))
    assert "in time" in found.reason
    assert time.monotonic() - began < 1.5


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def _server(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def _trusting(network: Network, authority: trustme.CA) -> Network:
    def tls() -> ssl.SSLContext:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    return dataclasses.replace(network, tls=tls)


def test_certificates_are_checked_for_the_name(authority: trustme.CA) -> None:
    """The connection goes to a number; the certificate, and the name sent with it, are those of the host."""
    context = _server(authority, HOST)
    names: list[str | None] = []
    context.sni_callback = lambda connection, name, inner: names.append(name)
    with running_site(tls=context) as site:
        site.page("/a")
        found = site.one("/a", network=_trusting(site.network(), authority))
        assert found.url == site.url("/a")
        assert set(names) == {HOST}
        assert {asked.headers["host"] for asked in site.asked} == {f"{HOST}:{site.port}"}


def test_a_certificate_nobody_vouches_for_is_refused(authority: trustme.CA) -> None:
    with running_site(tls=_server(authority, HOST)) as site:
        site.page("/a")
        network = dataclasses.replace(site.network(), tls=Network().tls)
        assert "certificate" in site.none("/a", network=network).reason.lower()
        assert site.asked == []


@pytest.mark.parametrize("name", ["other.test", "127.0.0.1"])
def test_a_certificate_of_another_name_is_refused(authority: trustme.CA, name: str) -> None:
    with running_site(tls=_server(authority, name)) as site:
        site.page("/a")
        assert "certificate" in site.none("/a", network=_trusting(site.network(), authority)).reason.lower()
        assert site.asked == []


def test_encryption_is_never_left(authority: trustme.CA, site: Site) -> None:
    site.page("/plain")
    with running_site(tls=_server(authority, HOST)) as secure:
        network = _trusting(secure.network(), authority)
        network = dataclasses.replace(network, ports=network.ports | {site.port})
        secure.routes["/a"] = Reply(status=301, headers={"Location": site.url("/plain")})
        assert "not encrypted" in secure.none("/a", network=network).reason
        assert site.asked == []
        site.routes["/b"] = Reply(status=301, headers={"Location": secure.url("/c")})
        secure.page("/c", "Better")
        assert site.one("/b", network=network).title == "Better"


def test_the_environment_has_no_say(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        place = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, place)
        site.page("/a")
        assert site.one("/a").title == "Title"
        proxy.settimeout(0.01)
        with pytest.raises(TimeoutError):
            proxy.accept()
