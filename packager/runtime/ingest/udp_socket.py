"""UDP sockets for an address or a multicast group, IPv4 or IPv6."""

import asyncio
import errno
import fcntl
import socket
import struct
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from packager.config.sources import UdpSource

_RECEIVE_BUFFER = 8 << 20
"""Bytes: a second of 64 Mbit/s, within the kernel's limit (`net.core.rmem_max`)."""
_SITE_SCOPE = 5
"""The narrowest scope of IPv6 groups that is wider than a link (RFC 7346)."""

# Linux constants that Python does not define.
_IP_ADD_SOURCE_MEMBERSHIP = 39
_IP_MULTICAST_ALL = 49
_MCAST_JOIN_SOURCE_GROUP = 46
_IPV6_MULTICAST_ALL = 29
_SIOCGIFADDR = 0x8915
_IFREQ = struct.Struct("16s16x8x")
"""An `ifreq` with a name."""


async def addresses_of(host: str | None) -> frozenset[str] | None:
    """The addresses of the sender `host`; None if all senders are accepted.

    Raises:
        OSError: the host has no address.
    """
    if host is None:
        return None
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    return frozenset(str(address[0]) for *_, address in found)


async def open_port(source: UdpSource, senders: frozenset[str] | None) -> socket.socket:
    """A socket that receives the datagrams for `source`.

    Raises:
        OSError: the port or the interface cannot be used.
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
            # Other programs of this machine may join the group too.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if isinstance(group, IPv6Address) and group.is_multicast:
            # A group with a scope of one link needs the link's index.
            is_link_local = group.packed[1] & 0x0F < _SITE_SCOPE
            scope = _interface_index(source.interface or "") if is_link_local else 0
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
    """Join `group`; with known `senders`, for their packets only (source-specific multicast).

    Raises:
        OSError: the interface does not exist, or no sender can send to such a group.
    """
    sources = [ip_address(sender.partition("%")[0]) for sender in senders or ()]
    sources = [sender for sender in sources if sender.version == group.version]
    if senders is not None and not sources:
        raise OSError(errno.EADDRNOTAVAIL, "the sender has no address that can send to the group")
    if isinstance(group, IPv4Address):
        with suppress(OSError):
            opened.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        address = _interface_address(opened, interface)
        if senders is None:
            request = group.packed + address
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        for sender in sources:
            request = group.packed + address + sender.packed
            opened.setsockopt(socket.IPPROTO_IP, _IP_ADD_SOURCE_MEMBERSHIP, request)
        return
    with suppress(OSError):
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
    index = _interface_index(interface)
    if senders is None:
        request = group.packed + struct.pack("@I", index)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    for sender in sources:
        # A group_source_req: the index, then two sockaddr_storage (RFC 3678, section 5.1.2).
        request = struct.pack("@I4x", index) + _storage(group) + _storage(sender)
        opened.setsockopt(socket.IPPROTO_IPV6, _MCAST_JOIN_SOURCE_GROUP, request)


def _storage(address: IPv4Address | IPv6Address) -> bytes:
    return struct.pack("@HHI16sI100x", socket.AF_INET6, 0, 0, address.packed, 0)


def _interface_address(opened: socket.socket, interface: str) -> bytes:
    """The IPv4 address of an interface, given by address or name; zeros: the kernel chooses."""
    if not interface:
        return bytes(4)
    try:
        return IPv4Address(interface).packed
    except ValueError:
        return _first_address(opened, interface)


def _first_address(opened: socket.socket, name: str) -> bytes:
    ifreq = fcntl.ioctl(opened, _SIOCGIFADDR, _IFREQ.pack(name.encode()))
    # 16 bytes of name, then a sockaddr_in with its address at byte 4.
    return ifreq[20:24]


def _interface_index(interface: str) -> int:
    """The index of an interface, given by IPv6 address or name; 0: the kernel chooses."""
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
