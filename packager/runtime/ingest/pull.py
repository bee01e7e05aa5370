"""The receivers of sources that need no port shared by all channels."""

from packager.config.sources import (
    HlsSource,
    PushSource,
    RtmpSource,
    Source,
    SrtSource,
    UdpSource,
    described,
)
from packager.errors import SetupError
from packager.feed.report import Container
from packager.runtime.ingest.ffmpeg_pull import FfmpegPullReceiver
from packager.runtime.ingest.hls import HlsReceiver
from packager.runtime.ingest.receiver import Receiver
from packager.runtime.ingest.srt import SrtReceiver
from packager.runtime.ingest.udp import UdpReceiver


def receiver_for(source: Source, program: str) -> Receiver:
    """The receiver of `source`; `program` is ffmpeg.

    Raises:
        SetupError: the source has no receiver of its own.
    """
    match source:
        case UdpSource():
            return UdpReceiver(source)
        case SrtSource():
            return SrtReceiver(source, program)
        case HlsSource():
            return HlsReceiver(source, program)
        case RtmpSource() | PushSource():
            raise SetupError(
                f"{described(source)}: its encoder connects to a port that all channels share"
            )
        case _:
            raise SetupError(f"{described(source)}: this source receives nothing")


def rtmp_puller(url: str, shown: str, program: str) -> Receiver:
    """The receiver of a stream on another RTMP server; `shown` is the URL without secrets."""
    return FfmpegPullReceiver(program, url, Container.FLV, shown)
