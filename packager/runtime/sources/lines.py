"""The line that a source has which needs no port of all channels."""

from packager.errors import SetupError
from packager.feed.container import Container
from packager.runtime.sources.fetch import FetchLine
from packager.runtime.sources.hls import HlsLine
from packager.runtime.sources.line import Line
from packager.runtime.sources.srt import SrtLine
from packager.runtime.sources.udp import UdpLine
from packager.source import (
    HlsSource,
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
            return UdpLine(source)
        case SrtSource():
            return SrtLine(source, program)
        case HlsSource():
            return HlsLine(source, program)
        case RtmpSource() | PushSource():
            raise SetupError(f"{described(source)}: its encoder comes to a port of the packager's")
        case _:
            raise SetupError(f"{described(source)}: nobody sends it")


def pulled_rtmp(url: str, shown: str, program: str) -> Line:
    """What brings the bytes of an RTMP server's stream."""
    return FetchLine(program, url, Container.FLV, shown)
