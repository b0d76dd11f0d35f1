"""Which address a request comes from, where proxies stand before us.

Anybody can send X-Forwarded-For.  It is read from its end, where the nearest proxy writes, and for as long as whoever
wrote an entry is one of those that the settings name: what comes before is a stranger's word.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def networks(setting: str) -> tuple[Network, ...]:
    """The addresses and networks of a list that commas separate.  Raises ValueError."""
    return tuple(ip_network(each.strip(), strict=False) for each in setting.split(",") if each.strip())


def client_address(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Whom `peer`, the other end of the connection, speaks for by its X-Forwarded-For headers `forwarded`."""
    entries = [each.strip() for header in forwarded for each in header.split(",")]
    here = _address(peer)
    if here is None or not _among(here, trusted):
        return peer
    while entries and _among(here, trusted):
        before = _address(entries.pop())
        if before is None:
            break
        here = before
    return str(here)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _among(address: IPv4Address | IPv6Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)
