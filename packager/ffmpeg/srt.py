"""What ffmpeg is told where it hands on the bytes of SRT as they come, and what it says."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from packager.errors import FeedError
from packager.ffmpeg.progress import read_message
from packager.source import SrtSource

SRT_SILENCE = 3
"""Seconds without a byte after which a connection is over; SRT itself says so of a dead peer."""

_SAYS = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+verbose")
_MICROS = 1_000_000
_SRT_PACKET = 1456
"""Octets that an SRT packet carries at most."""
_SHORTEST_PASSPHRASE, _LONGEST_PASSPHRASE = 10, 79


def srt_arguments(source: SrtSource, write_end: int) -> list[str]:
    """Bring the bytes of `source` to the descriptor `write_end`, each packet at once, unchanged.

    Raises:
        FeedError: it cannot be called so.
    """
    calling = source.url is not None
    options = {
        "mode": "caller" if calling else "listener",
        "transtype": "live",
        "latency": str(round(source.latency * _MICROS)),
        "timeout": str(SRT_SILENCE * _MICROS),
    }
    if source.passphrase is not None:
        passphrase = source.passphrase.octets.decode("ascii")
        if not _SHORTEST_PASSPHRASE <= len(passphrase) <= _LONGEST_PASSPHRASE:
            raise FeedError("a passphrase of SRT has 10 to 79 characters")
        options["passphrase"] = passphrase
    if calling and source.stream_id is not None:
        options["srt_streamid"] = source.stream_id
    return [
        *_SAYS,
        *("-fflags", "nobuffer", "-f", "data", "-raw_packet_size", str(_SRT_PACKET)),
        *(word for name, value in options.items() for word in (f"-{name}", value)),
        *("-i", srt_address(source), "-map", "0", "-c", "copy"),
        *("-f", "data", "-flush_packets", "1", f"pipe:{write_end}"),
    ]


def srt_address(source: SrtSource) -> str:
    """Where `source` listens, or whom it calls: a URL without a secret.

    Raises:
        FeedError: it is no address of SRT.
    """
    if source.url is None:
        return f"srt://{_bracketed(source.host)}:{source.port}"
    try:
        parts = urlsplit(source.url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
        parts = urlsplit("")
    if parts.scheme != "srt" or not host or not port:
        raise FeedError("an address of SRT is srt://host:port")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise FeedError("an address of SRT has nothing after the port: the rest are options")
    return f"srt://{_bracketed(host)}:{port}"


def _bracketed(host: str) -> str:
    try:
        return f"[{IPv6Address(host)}]"
    except ValueError:
        return host


@dataclass(frozen=True, slots=True)
class Accepted:
    """A caller is there."""


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A caller was not let in."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot be had, or is over."""

    reason: str


@dataclass(frozen=True, slots=True)
class Complained:
    """Something was wrong, in ffmpeg's own words: for want of better ones."""

    text: str


SrtSaid = Accepted | TurnedAway | Failed | Complained

_SRT_WORDS = {
    "Incorrect passphrase": "the passphrase is another",
    "Password required or unexpected": "one side has a passphrase, the other has none",
    "Address already in use": "the port is in use by another program",
    "Cannot assign requested address": "this machine has no such address",
    "Permission denied": "the port may not be used",
}


def _srt_words(said: str) -> str:
    said = said.strip()
    return _SRT_WORDS.get(said, said.lower())


_Meaning = Callable[[str], SrtSaid | None]

_TABLE: tuple[tuple[str, _Meaning], ...] = (
    (r"\baccept streamid\b()", lambda _: Accepted()),
    (r"rsp\(REJECT\): *[0-9]+ - (.{1,200})", lambda said: TurnedAway(_srt_words(said))),
    (
        r"REJECT reported from HS processing: (.{1,200}?) - not",
        lambda said: Failed(f"refused: {_srt_words(said)}"),
    ),
    (
        r"Failed to resolve hostname .*?: (.{1,200})",
        lambda said: Failed(f"no such host: {said.strip().lower()}"),
    ),
    (
        r"(Address already in use|Cannot assign requested address|Permission denied)",
        lambda said: Failed(_srt_words(said)),
    ),
    (r"Connection to \S+ failed: ()", lambda _: Failed("nobody answers")),
    (r"Connection timed out()", lambda _: Failed(f"nothing came for {SRT_SILENCE} s")),
    # That of every connection that ends.
    (r"Error during demuxing()", lambda _: None),
)
"""The first that matches says what a line means."""


def read_srt(line: str) -> SrtSaid | None:
    """What a line of ffmpeg or of its SRT library says of the connection, if it does."""
    for pattern, meaning in _TABLE:
        if found := re.search(pattern, line):
            return meaning(found[1])
    message = read_message(line)
    if message is not None and message.level in ("error", "fatal"):
        return Complained(message.text)
    return None
