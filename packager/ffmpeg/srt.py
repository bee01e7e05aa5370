"""The arguments of an ffmpeg that passes on the bytes of SRT unchanged, and its messages."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from packager.config.sources import SrtSource
from packager.errors import FeedError
from packager.ffmpeg.progress import read_message

_LOGGING = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+verbose")
_MICROS = 1_000_000
_SRT_PACKET = 1456
"""Bytes of payload in an SRT packet, at most."""
_MIN_PASSPHRASE, _MAX_PASSPHRASE = 10, 79


def srt_arguments(source: SrtSource, write_end: int) -> list[str]:
    """Arguments of an ffmpeg that writes each packet of `source` to the descriptor `write_end`.

    Raises:
        FeedError: the address or the passphrase is invalid.
    """
    calling = source.url is not None
    options = {
        "mode": "caller" if calling else "listener",
        "transtype": "live",
        "latency": str(round(source.latency * _MICROS)),
    }
    if source.passphrase is not None:
        passphrase = source.passphrase.value.decode("ascii")
        if not _MIN_PASSPHRASE <= len(passphrase) <= _MAX_PASSPHRASE:
            raise FeedError("an SRT passphrase has 10 to 79 characters")
        options["passphrase"] = passphrase
    if calling and source.stream_id is not None:
        options["srt_streamid"] = source.stream_id
    return [
        *_LOGGING,
        *("-fflags", "nobuffer", "-f", "data", "-raw_packet_size", str(_SRT_PACKET)),
        *(word for name, value in options.items() for word in (f"-{name}", value)),
        *("-i", srt_address(source), "-map", "0", "-c", "copy"),
        *("-f", "data", "-flush_packets", "1", f"pipe:{write_end}"),
    ]


def srt_address(source: SrtSource) -> str:
    """The address at which `source` listens or which it calls: a URL without a secret.

    Raises:
        FeedError: the address is invalid.
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
        raise FeedError("an SRT address has the form srt://host:port")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise FeedError(
            "an SRT address ends after the port: set other values as options of the source"
        )
    return f"srt://{_bracketed(host)}:{port}"


def _bracketed(host: str) -> str:
    try:
        return f"[{IPv6Address(host)}]"
    except ValueError:
        return host


@dataclass(frozen=True, slots=True)
class CallerAccepted:
    """The listener accepts a caller."""


@dataclass(frozen=True, slots=True)
class CallerRefused:
    """The listener refuses a caller."""

    reason: str


@dataclass(frozen=True, slots=True)
class SrtFailed:
    """The connection fails or ends."""

    reason: str


@dataclass(frozen=True, slots=True)
class SrtWarning:
    """Another error of ffmpeg, in its own words."""

    text: str


SrtMessage = CallerAccepted | CallerRefused | SrtFailed | SrtWarning

_REASONS = {
    "Incorrect passphrase": "the passphrases differ",
    "Password required or unexpected": "one side has a passphrase, the other has none",
    "Address already in use": "the port is in use by another program",
    "Cannot assign requested address": "this machine has no such address",
    "Permission denied": "no permission to use the port",
}


def _reason(text: str) -> str:
    text = text.strip()
    return _REASONS.get(text, text.lower())


_Meaning = Callable[[str], SrtMessage | None]

_TABLE: tuple[tuple[str, _Meaning], ...] = (
    (r"\baccept streamid\b()", lambda _: CallerAccepted()),
    (r"rsp\(REJECT\): *[0-9]+ - (.{1,200})", lambda text: CallerRefused(_reason(text))),
    (
        r"REJECT reported from HS processing: (.{1,200}?) - not",
        lambda text: SrtFailed(f"refused: {_reason(text)}"),
    ),
    (
        r"Failed to resolve hostname .*?: (.{1,200})",
        lambda text: SrtFailed(f"no such host: {text.strip().lower()}"),
    ),
    (
        r"(Address already in use|Cannot assign requested address|Permission denied)",
        lambda text: SrtFailed(_reason(text)),
    ),
    (r"Connection to \S+ failed: ()", lambda _: SrtFailed("no response from the listener")),
    (r"Connection timed out()", lambda _: SrtFailed("the peer does not answer")),
    # Logged at the end of every connection.
    (r"Error during demuxing()", lambda _: None),
)
"""The meaning of a line: the first pattern that matches decides."""


def read_srt(line: str) -> SrtMessage | None:
    """The message about the connection in a log line of ffmpeg or its SRT library, if any."""
    for pattern, meaning in _TABLE:
        if found := re.search(pattern, line):
            return meaning(found[1])
    message = read_message(line)
    if message is not None and message.level in ("error", "fatal"):
        return SrtWarning(message.text)
    return None
