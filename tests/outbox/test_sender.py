"""One post: to whom it may go, how long it may take, what is made of the answer."""

from __future__ import annotations

import dataclasses
import socket
import time
from email.utils import format_datetime
from ipaddress import ip_address

import pytest

from bot.conversation.models import now
from bot.network import Network
from bot.outbox.sender import Answer, Sender, allowing_private
from tests.outbox.receiver import Receiver, Reply


def post(receiver: Receiver, url: str = "", network: Network | None = None, seconds: float = 5.0) -> Answer:
    sender = Sender(network or allowing_private(), seconds, seconds)
    return sender.post(url or receiver.url("/a?b=c"), {"refill-delivery": "d"}, b"{}")


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_accepted(receiver: Receiver, status: int) -> None:
    receiver.replies["/a?b=c"] = [Reply(status)]
    answer = post(receiver)
    assert (answer.accepted, answer.status, answer.error) == (True, status, "")
    (got,) = receiver.got
    assert (got.path, got.body, got.headers["content-type"]) == ("/a?b=c", b"{}", "application/json")
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["refill-delivery"] == "d"
    assert got.headers["user-agent"].startswith("Refill/")


@pytest.mark.parametrize(
    ("reply", "error", "retry_after"),
    [
        (Reply(500), "It answered 500 Internal Server Error.", 0),
        (Reply(499), "It answered 499.", 0),
        (Reply(410), "It answered 410 Gone.", 0),
        (Reply(429, {"Retry-After": "120"}), "It answered 429 Too Many Requests.", 120),
        (Reply(503, {"Retry-After": "later"}), "It answered 503 Service Unavailable.", 0),
        (Reply(503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), "It answered 503 Service Unavailable.", 0),
    ],
)
def test_not_accepted(receiver: Receiver, reply: Reply, error: str, retry_after: float) -> None:
    receiver.replies["/a?b=c"] = [reply]
    assert post(receiver) == Answer(reply.status, error, retry_after)


def test_retry_after_as_a_date(receiver: Receiver) -> None:
    moment = format_datetime(now().replace(microsecond=0), usegmt=True).replace(str(now().year), str(now().year + 1))
    receiver.replies["/a?b=c"] = [Reply(503, {"Retry-After": moment})]
    assert post(receiver).retry_after > 3600 * 24 * 300


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.replies["/a?b=c"] = [Reply(status, {"Location": receiver.url("/other")})]
    answer = post(receiver)
    assert not answer.accepted
    assert "redirects are not followed" in answer.error
    assert [got.path for got in receiver.got] == ["/a?b=c"]


def test_late(receiver: Receiver) -> None:
    receiver.replies["/a?b=c"] = [Reply(200, seconds=1.0)]
    began = time.monotonic()
    assert post(receiver, seconds=0.1) == Answer(None, "It did not answer within 0.1 s.")
    assert time.monotonic() - began < 0.8


def test_nobody_there(receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert "cannot be reached" in post(receiver, f"http://127.0.0.1:{port}/").error
    assert "is not known" in post(receiver, "https://nowhere.invalid/").error
    assert "cannot be reached" in post(receiver, receiver.url("/").replace("http:", "https:")).error


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "2130706433", "inner.test"])
def test_private_addresses_are_refused(receiver: Receiver, host: str) -> None:
    """Whatever a name looks like: what it leads to counts."""
    network = Network(ports=frozenset({receiver.port}))
    if host == "inner.test":
        network = dataclasses.replace(network, look_up=lambda host, port: ["8.8.8.8", "127.0.0.1"])
    answer = post(receiver, f"http://{host}:{receiver.port}/", network)
    assert "only the public internet is asked" in answer.error
    assert receiver.got == []


def test_a_name_is_looked_up_once(receiver: Receiver) -> None:
    """Between the check and the connection, nobody is asked again where a name leads."""
    answers = iter([["127.0.0.1"]])
    network = dataclasses.replace(allowing_private(), look_up=lambda host, port: next(answers))
    assert post(receiver, f"http://inner.test:{receiver.port}/", network).accepted
    assert len(receiver.got) == 1


def test_ports_of_other_services_are_refused(receiver: Receiver) -> None:
    assert "not one websites use" in post(receiver, network=Network()).error


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("192.168.0.1", True),
        ("::1", True),
        ("fd12::1", True),
        ("8.8.8.8", True),
        ("169.254.169.254", False),
        ("168.63.129.16", False),
        ("100.100.100.200", False),
        ("192.0.0.192", False),
        ("fd00:ec2::254", False),
        ("fe80::1", False),
        ("::ffff:169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
    ],
)
def test_a_clouds_control_addresses_are_never_reached(address: str, allowed: bool) -> None:
    assert (allowing_private().refusal(ip_address(address)) is None) is allowed
