"""The line that a configured source has."""

from typing import assert_never
from urllib.parse import urlencode

from packager.errors import SetupError
from packager.feed.container import Container
from packager.runtime.sources.fetch import FetchLine
from packager.runtime.sources.line import Line
from packager.source import (
    CmafSource,
    FileSource,
    HlsSource,
    PatternSource,
    PushSource,
    RtmpSource,
    Source,
    SrtSource,
    UdpSource,
    described,
)


def line_of(source: Source, program: str) -> Line:
    """What brings the bytes of `source`; `program` is ffmpeg.

    Raises:
        SetupError: it has no line of its own.
    """
    match source:
        case UdpSource():
            url = f"udp://{_bracketed(source.host)}:{source.port}?{_udp_options(source)}"
            return FetchLine(program, url, Container.TS, described(source), is_raw=True)
        case SrtSource():
            return FetchLine(program, _srt(source), Container.TS, described(source), is_raw=True)
        case HlsSource():
            return FetchLine(program, source.url, Container.TS, described(source))
        case RtmpSource() | PushSource() | CmafSource():
            raise SetupError(f"{described(source)}: its encoder comes to a port of the packager's")
        case PatternSource() | FileSource():
            raise SetupError(f"{described(source)}: nobody sends it")
        case _:
            assert_never(source)


def pulled_rtmp(url: str, shown: str, program: str) -> Line:
    """What brings the bytes of an RTMP server's stream."""
    return FetchLine(program, url, Container.FLV, shown)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _udp_options(source: UdpSource) -> str:
    said = {"localaddr": source.interface, "sources": source.sender}
    return urlencode({"fifo_size": 50_000, "overrun_nonfatal": 1, **_given(said)})


def _srt(source: SrtSource) -> str:
    key = None if source.passphrase is None else source.passphrase.octets.decode()
    said = _given({"streamid": source.stream_id, "passphrase": key})
    options = urlencode({"latency": int(source.latency * 1_000_000), **said})
    if source.url is not None:
        return f"{source.url}?mode=caller&{options}"
    return f"srt://{_bracketed(source.host)}:{source.port}?mode=listener&{options}"


def _given(options: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in options.items() if value is not None}
