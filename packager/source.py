"""Sources, as configured: where a channel's feed comes from."""

import re
from fractions import Fraction
from pathlib import PurePath
from typing import Annotated, Literal, assert_never

import msgspec

from packager.secret import Secret
from packager.units import parse_duration, quoted

Text = Annotated[str, msgspec.Meta(min_length=1, description="text")]

Host = Annotated[
    str,
    msgspec.Meta(
        pattern=r"\A[0-9A-Za-z.:_-]{1,253}\Z",
        description="a host name or an address",
    ),
]

Port = Annotated[int, msgspec.Meta(ge=1, le=65535, description="a port from 1 to 65535")]

Pixels = Annotated[
    int,
    msgspec.Meta(
        ge=16, le=7680, multiple_of=2, description="an even number of pixels from 16 to 7680"
    ),
]
"""A width or a height: even, as 4:2:0 needs it."""

_Key = Annotated[Secret, msgspec.Meta(description="a secret")]

_Busy = Literal["refuse", "replace"]


class _Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all sources have in common."""


class PatternSource(_Source, frozen=True, kw_only=True, tag_field="type", tag="pattern"):
    """A test picture and tone, at the ladder's frame rate."""

    width: Pixels = 1280
    height: Pixels = 720


class FileSource(_Source, frozen=True, kw_only=True, tag_field="type", tag="file"):
    """Recordings replayed one after the other, at the pace they were made."""

    files: Annotated[
        tuple[Text, ...],
        msgspec.Meta(min_length=1, max_length=1000, description="a path or 1 to 1000 of them"),
    ] = msgspec.field(name="file")
    """Paths; in YAML `file`, one path or a list of them."""
    loop: bool = False
    """Whether to begin again after the last."""


_Audio = Annotated[
    str,
    msgspec.Meta(
        pattern=r"\A(?:[a-z]{3}|#[0-9]{1,2}|0x[0-9a-f]{1,4})\Z",
        description="a language such as eng, an index such as #0, or a PID such as 0x101",
    ),
]


_Program = Annotated[int, msgspec.Meta(ge=1, le=65535, description="a number from 1 to 65535")]


class _Fed(_Source, frozen=True, kw_only=True):
    """What somebody sends to us, or we fetch, in a container that ffmpeg takes apart."""

    program: (
        Annotated[int, msgspec.Meta(ge=1, le=65535, description="a number to 65535")] | None
    ) = None
    """Of a transport stream with several programmes; where not given, the first."""
    video: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"\A(?:#[0-9]{1,2}|0x[0-9a-f]{1,4})\Z",
                description="an index such as #0, or a PID such as 0x100",
            ),
        ]
        | None
    ) = None
    """The picture; where not given, the first."""
    audio: Annotated[
        tuple[_Audio, ...],
        msgspec.Meta(max_length=16, description="at most 16 languages, indexes or PIDs"),
    ] = ()
    """The sound that is wanted, in this order; where not given, all there is."""


class RtmpSource(_Fed, frozen=True, kw_only=True, tag_field="type", tag="rtmp"):
    """An encoder that publishes to `rtmp://host/live/KEY`."""

    key: _Key
    busy: _Busy = "refuse"
    """What becomes of who publishes with the key of somebody who is there."""


class SrtSource(_Fed, frozen=True, kw_only=True, tag_field="type", tag="srt"):
    """SRT: an encoder calls us at `port`, or we call `url`."""

    port: Port | None = None
    host: Host = "0.0.0.0"  # noqa: S104 -- encoders are elsewhere
    """Where `port` listens."""
    url: Text | None = None
    """`srt://host:port` that we call."""
    stream_id: Text | None = None
    """What we say whom we want, where we call."""
    passphrase: _Key | None = None
    """Of the encryption: 10 to 79 characters."""
    latency: Fraction = Fraction(1, 5)
    """Seconds that lost packets have to come again."""


class UdpSource(_Fed, frozen=True, kw_only=True, tag_field="type", tag="udp"):
    """A transport stream in UDP or RTP packets, for us or for a multicast group."""

    port: Port
    host: Host = "0.0.0.0"  # noqa: S104 -- as above
    """The address or the multicast group that the packets are for."""
    interface: Host | None = None
    """The address of the interface that a group is joined on."""
    sender: Host | None = None
    """Whose packets count; where not given, anybody's."""


class PushSource(_Fed, frozen=True, kw_only=True, tag_field="type", tag="push"):
    """An encoder that sends a transport stream by HTTP PUT or POST to `/push/KEY`."""

    key: _Key
    busy: _Busy = "refuse"
    """As of RTMP."""


class HlsSource(_Fed, frozen=True, kw_only=True, tag_field="type", tag="hls"):
    """Somebody's HLS, fetched and packaged again."""

    url: Annotated[
        str, msgspec.Meta(pattern=r"\Ahttps?://[!-~]{1,2000}\Z", description="an http address")
    ]


class CmafSource(_Source, frozen=True, kw_only=True, tag_field="type", tag="cmaf"):
    """Encoders that push a ready ladder (DASH-IF Live Media Ingest, interface 1) to `/cmaf/KEY`."""

    key: _Key


Fed = RtmpSource | SrtSource | UdpSource | PushSource | HlsSource
"""Sources whose bytes pass through this process on their way to ffmpeg."""

Source = (
    PatternSource
    | FileSource
    | RtmpSource
    | SrtSource
    | UdpSource
    | PushSource
    | HlsSource
    | CmafSource
)


class LossConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a source counts as lost, and what is sent while none is there. All in seconds."""

    no_data: Fraction = Fraction(1, 2)
    """Without a byte."""
    no_video: Fraction | None = None
    """Without a picture, though bytes come. None, here and below: never."""
    black: Fraction | None = None
    frozen: Fraction | None = None
    silent: Fraction | None = None
    back_after: Fraction = Fraction(10)
    """That a preferred source has to be healthy before it is taken again."""
    filler: Literal["none", "slate", "last-frame"] = "none"
    """What keeps the timeline going: nothing; a picture; what was seen last. Without sound."""
    slate: Text | None = None
    """A picture file; where not given, a grey one."""
    filler_is: Literal["served", "unavailable"] = "served"
    """What viewers at the live edge get while it lasts: it, or 503 as of a stale edge."""


class IngestConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where encoders find us; a port is open only if a channel has a source for it."""

    host: Host = "0.0.0.0"  # noqa: S104 -- as above
    rtmp_port: Port = 1935
    rtmps_port: Port | None = None
    """RTMP in TLS, beside it; wants a certificate."""
    http_port: Port = 8082
    """For pushes of transport streams and CMAF."""
    certificate: Text | None = None
    """A PEM file: the certificate and those that it is signed with."""
    certificate_key: Text | None = None
    """A PEM file: its key."""


def threshold(text: str) -> Fraction | None:
    """Seconds, or None for `never`.

    Raises:
        ValueError: neither.
    """
    try:
        return None if text == "never" else parse_duration(text)
    except ValueError:
        raise ValueError(f"not a duration: {quoted(text)} (write 1s, 500ms or never)") from None


_USER = re.compile(r"(?<=://)[^/]*@")
"""Who asks, and often with a password."""
_NAMED = 3
"""Files of a recording that are named; of others there are too many."""


def described(source: Source) -> str:
    """`source` in a few words, none of them a secret."""
    match source:
        case PatternSource():
            return "pattern"
        case FileSource():
            names = ", ".join(PurePath(file).name for file in source.files[:_NAMED])
            return f"file {names}{' …' if len(source.files) > _NAMED else ''}"
        case SrtSource():
            return f"srt on port {source.port}" if source.url is None else source.url
        case UdpSource():
            return f"udp {source.host}:{source.port}"
        case HlsSource():
            return f"hls {_USER.sub('', source.url.partition('?')[0])}"
        case RtmpSource():
            return "rtmp"
        case PushSource():
            return "push"
        case CmafSource():
            return "cmaf"
        case _:
            assert_never(source)
