"""Whose word counts about where a request comes from."""

import pytest

from app.proxies import client_address, networks

TRUSTED = networks("10.0.0.7, 10.42.0.0/16,fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["6.6.6.6"], "203.0.113.9"),  # a stranger says so
        ("10.0.0.8", ["6.6.6.6"], "10.0.0.8"),  # beside the one that is trusted
        ("10.0.0.7", [], "10.0.0.7"),
        ("10.0.0.7", ["203.0.113.9"], "203.0.113.9"),
        ("::ffff:10.0.0.7", ["203.0.113.9"], "203.0.113.9"),
        ("fd00::1", ["2001:db8::9"], "2001:db8::9"),
        ("10.0.0.7", ["6.6.6.6, 203.0.113.9"], "203.0.113.9"),  # the first was sent along by the client
        ("10.0.0.7", ["6.6.6.6", "203.0.113.9"], "203.0.113.9"),  # in a header of its own
        ("10.0.0.7", ["203.0.113.9, 10.42.1.1"], "203.0.113.9"),  # through two proxies
        ("10.0.0.7", ["6.6.6.6, 10.42.1.1, 203.0.113.9, 10.42.1.1"], "203.0.113.9"),
        ("10.0.0.7", ["<script>, 10.42.1.1"], "10.42.1.1"),
        ("10.0.0.7", ["6.6.6.6, <script>"], "10.0.0.7"),
        ("10.0.0.7", [""], "10.0.0.7"),
        ("10.0.0.7", ["10.42.1.1, 10.42.1.2"], "10.42.1.1"),
        ("", ["6.6.6.6"], ""),
    ],
)
def test_an_address_is_what_the_nearest_stranger_has(peer: str, forwarded: list[str], client: str):
    assert client_address(peer, forwarded, TRUSTED) == client


def test_nobody_is_trusted_unasked():
    assert networks("") == ()
    assert client_address("127.0.0.1", ["6.6.6.6"], ()) == "127.0.0.1"
