"""Sockets that get what is sent to an address or to a multicast group of IPv4 or IPv6."""

import asyncio
import errno
import fcntl
import socket
import struct
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from packager.source import UdpSource

_RECEIVE_BUFFER = 8 << 20
"""Bytes: a second of 64 Mbit/s, as far as the kernel lets (`net.core.rmem_max`)."""
_SITE = 5
"""The narrowest scope of IPv6 groups that is wider than a link (RFC 7346)."""

# Of Linux; Python does not name them.
_IP_ADD_SOURCE_MEMBERSHIP = 39
_IP_MULTICAST_ALL = 49
_MCAST_JOIN_SOURCE_GROUP = 46
_IPV6_MULTICAST_ALL = 29
_SIOCGIFADDR = 0x8915
_NAMED = struct.Struct("16s16x8x")
"""An `ifreq` with a name."""


async def addresses_of(host: str | None) -> frozenset[str] | None:
    """The addresses of `host`; None where anybody may send.

    Raises:
        OSError: there are none.
    """
    if host is None:
        return None
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    return frozenset(str(address[0]) for *_, address in found)


async def open_port(source: UdpSource, senders: frozenset[str] | None) -> socket.socket:
    """A socket that gets what is sent to `source`.

    Raises:
        OSError: the port or the interface cannot be had.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        source.host, source.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _, address = found[0]
    group = ip_address(str(address[0]).partition("%")[0])
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setblocking(False)  # noqa: FBT003
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        if group.is_multicast:
            # Others on this machine may want the group, too.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if isinstance(group, IPv6Address) and group.is_multicast:
            # A group that means something on one link alone is of that link.
            narrow = group.packed[1] & 0x0F < _SITE
            scope = _interface_index(source.interface or "") if narrow else 0
            address = (str(group), source.port, 0, scope)
        opened.bind(address)
        if group.is_multicast:
            _join(opened, group, source.interface or "", senders)
    except BaseException:
        opened.close()
        raise
    return opened


def _join(
    opened: socket.socket,
    group: IPv4Address | IPv6Address,
    interface: str,
    senders: frozenset[str] | None,
) -> None:
    """Have the packets for `group` sent here: of `senders` alone where they are known.

    Raises:
        OSError: there is no such interface, or they cannot send to such a group.
    """
    sources = [ip_address(sender.partition("%")[0]) for sender in senders or ()]
    sources = [sender for sender in sources if sender.version == group.version]
    if senders is not None and not sources:
        raise OSError(errno.EADDRNOTAVAIL, "the sender has no address that can send to the group")
    if isinstance(group, IPv4Address):
        with suppress(OSError):
            opened.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        where = _interface_address(opened, interface)
        if senders is None:
            wish = group.packed + where
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, wish)
        for sender in sources:
            wish = group.packed + where + sender.packed
            opened.setsockopt(socket.IPPROTO_IP, _IP_ADD_SOURCE_MEMBERSHIP, wish)
        return
    with suppress(OSError):
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
    index = _interface_index(interface)
    if senders is None:
        wish = group.packed + struct.pack("@I", index)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, wish)
    for sender in sources:
        # A group_source_req: the index, then two sockaddr_storage (RFC 3678, section 5.1.2).
        wish = struct.pack("@I4x", index) + _storage(group) + _storage(sender)
        opened.setsockopt(socket.IPPROTO_IPV6, _MCAST_JOIN_SOURCE_GROUP, wish)


def _storage(address: IPv4Address | IPv6Address) -> bytes:
    return struct.pack("@HHI16sI100x", socket.AF_INET6, 0, 0, address.packed, 0)


def _interface_address(opened: socket.socket, interface: str) -> bytes:
    """The IPv4 address of an interface said by address or by name; zeros: the kernel chooses."""
    if not interface:
        return bytes(4)
    try:
        return IPv4Address(interface).packed
    except ValueError:
        return _first_address(opened, interface)


def _first_address(opened: socket.socket, name: str) -> bytes:
    answer = fcntl.ioctl(opened, _SIOCGIFADDR, _NAMED.pack(name.encode()))
    # An ifreq: the name's 16 octets, then a sockaddr_in whose address is at 4.
    return answer[20:24]


def _interface_index(interface: str) -> int:
    """The index of an interface said by IPv6 address or by name; 0: the kernel chooses."""
    if not interface:
        return 0
    try:
        wanted = IPv6Address(interface)
    except ValueError:
        return socket.if_nametoindex(interface)
    # One address a line: 32 hexadecimal digits, the interface's index, …
    for line in Path("/proc/net/if_inet6").read_text().splitlines():
        address, index, *_ = line.split()
        if int(address, 16) == int(wanted):
            return int(index, 16)
    raise OSError(errno.EADDRNOTAVAIL, f"no interface has the address {interface}")
