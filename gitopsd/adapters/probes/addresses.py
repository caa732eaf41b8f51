"""Which addresses are never asked, whoever names them. An address that hides another one is judged by both.

A pod may have any address of its node's or its own network; this machine, a cloud's metadata and the API server are
no pods.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

# Where clouds answer about the machine, beside the link-local addresses.
_METADATA = frozenset(
    ip_address(text) for text in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
_NAT64 = ip_network("64:ff9b::/96")
_COMPATIBLE = ip_network("::/96")
_LOCAL_NET = ip_network("0.0.0.0/8")


def refusal(text: str, api_server: Collection[str] = ()) -> str:
    """Say why the address must not be asked; empty = it may be. ``api_server`` are the API server's addresses."""
    try:
        address = ip_address(text)
    except ValueError:
        return "is no IP address"
    if getattr(address, "scope_id", None):
        return "names a network interface"
    apis = {one for known in api_server for one in _readings(ip_address(known))}
    return next((why for one in _readings(address) if (why := _why(one, apis))), "")


def _readings(address: Address) -> Iterator[Address]:
    """Yield the address, and every IPv4 address inside it."""
    yield address
    if not isinstance(address, IPv6Address):
        return
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    inner += [IPv4Address(int(address) & 0xFFFFFFFF) for net in (_NAT64, _COMPATIBLE) if _is_in(address, net)]
    yield from (one for one in inner if one is not None)


def _is_in(address: IPv6Address, network: object) -> bool:
    return isinstance(network, IPv6Network) and address in network


def _why(address: Address, api_server: Collection[Address]) -> str:
    if address.is_unspecified or address in _LOCAL_NET:
        return "is unspecified"
    if address.is_loopback:
        return "is a loopback address"
    if address.is_link_local or address in _METADATA:
        return "is link-local, where clouds keep their metadata"
    if address.is_multicast or (address.version == 4 and address.is_reserved):  # noqa: PLR2004 — IPv4
        return "is no single machine's"
    return "is the API server's" if address in api_server else ""
