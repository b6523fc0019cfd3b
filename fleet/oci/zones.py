"""Which addresses a registry may send us to. A redirect or token realm must not reach into the private network.

A registry on the public Internet could otherwise make a worker speak to its own machine, or to a cloud's metadata
service (server-side request forgery).
"""

from __future__ import annotations

import socket
from enum import Enum, auto
from ipaddress import IPv6Address, ip_address

from fleet.oci.errors import InvalidResponse, Unreachable
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


def zone_of(address: str) -> Zone:
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or ip
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
        raise Unreachable(f"The name {shown(origin.host)} cannot be resolved. Check the URL and the DNS.") from None
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))[:4]


def permitted_addresses(target: Origin, home: Origin) -> tuple[str, ...]:
    """The addresses of ``target``, to connect to exactly these, so that DNS cannot answer differently later.

    Raises InvalidResponse when one of them is nearer than the registry's own.
    """
    addresses = resolve(target)
    own = [zone_of(address) for address in resolve(home)]
    for address in addresses:
        if not any(zone.may_refer_to(zone_of(address)) for zone in own):
            raise InvalidResponse(
                f"{home.netloc} refers to {shown(target.netloc)}, which is in a private network where it does not live "
                "itself. It was not followed. Check the registry's configuration."
            )
    return addresses
