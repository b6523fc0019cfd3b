"""Which addresses a registry may send us to. A redirect or token realm must not reach into the private network.

A registry on the public Internet could otherwise make a worker speak to its own machine, or to a cloud's metadata
service (server-side request forgery).
"""

from __future__ import annotations

import socket
from enum import Enum, auto
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from fleet.oci.errors import InvalidResponse, UnknownHost
from fleet.oci.origin import Origin
from fleet.oci.wording import shown


class Zone(Enum):
    PUBLIC = auto()
    PRIVATE = auto()
    LOOPBACK = auto()
    LINK_LOCAL = auto()

    def may_refer_to(self, other: Zone) -> bool:
        """A registry may send us outward and sideways. This machine may name its private network, never the reverse."""
        return other in (Zone.PUBLIC, self) or (self is Zone.LOOPBACK and other is Zone.PRIVATE)


# Where clouds tell a machine its secrets, beside 169.254.0.0/16: as near as a link, whatever range they are in.
_METADATA = tuple(
    map(
        ip_network,
        (
            "fd00:ec2::/32",  # Amazon's over IPv6
            "fd20:ce::254/128",  # Google's over IPv6
            "100.100.100.200/32",  # Alibaba's
            "168.63.129.16/32",  # Azure's, in a public range
            "192.0.0.192/32",  # Oracle's
        ),
    )
)
_TRANSLATED = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"), ip_network("::/96"))


def zone_of(address: str) -> Zone:
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        ip = _inner(ip)
    if any(ip in network for network in _METADATA):
        return Zone.LINK_LOCAL
    # The unspecified address connects to this machine.
    if ip.is_loopback or ip.is_unspecified:
        return Zone.LOOPBACK
    if ip.is_link_local:
        return Zone.LINK_LOCAL
    return Zone.PUBLIC if ip.is_global and not ip.is_multicast else Zone.PRIVATE


def resolve(origin: Origin) -> tuple[str, ...]:
    """The addresses of a host, at most four, in the order to try them. Raises Unreachable."""
    try:
        found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UnknownHost(f"The name {shown(origin.host)} cannot be resolved. Check the URL and the DNS.") from None
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))[:4]


def zones_of(home: Origin) -> frozenset[Zone]:
    return frozenset(zone_of(address) for address in resolve(home))


def permitted_addresses(target: Origin, home: Origin, own: frozenset[Zone] | None = None) -> tuple[str, ...]:
    """The addresses of ``target``, to connect to exactly these, so that DNS cannot answer differently later.

    ``own`` are the zones that ``home`` was found in. Raises InvalidResponse when one address is nearer than any of
    them allows: a public registry gains nothing by naming a private address beside its own.
    """
    addresses = resolve(target)
    own = zones_of(home) if own is None else own
    for address in addresses:
        if not all(zone.may_refer_to(zone_of(address)) for zone in own):
            raise InvalidResponse(
                f"{home.netloc} refers to {shown(target.netloc)}, which is in a private network where it does not live "
                "itself. It was not followed. Check the registry's configuration."
            )
    return addresses


def _inner(ip: IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for on its way through a translator; else itself."""
    found = ip.ipv4_mapped or ip.sixtofour
    if found is None and int(ip) > 1 and any(ip in network for network in _TRANSLATED):
        found = IPv4Address(int(ip) & 0xFFFF_FFFF)
    return found or ip
