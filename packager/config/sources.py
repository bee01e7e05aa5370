"""Sources of a channel's feed, and the reaction to their loss."""

import re
from fractions import Fraction
from posixpath import basename
from typing import Annotated, Literal, assert_never

import msgspec

from packager.config.fields import (
    Duration,
    FilePath,
    Host,
    Pixels,
    Port,
    SecretText,
    ShortDuration,
    Text,
    Threshold,
)
from packager.config.scalars import FieldNote, ListRule, integer, text

_Address = Annotated[
    str, text(r"https?://[!-~]{1,2000}", "an http address", "https://example.com/live/index.m3u8")
]
_Busy = Annotated[Literal["refuse", "replace"], FieldNote(example="replace")]
_StreamKey = Annotated[SecretText, FieldNote(example="$STREAM_KEY")]


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    """What all sources have in common."""


class PatternSource(_Source, frozen=True, kw_only=True, tag_field="type", tag="pattern"):
    """A test picture and tone, at the ladder's frame rate."""

    width: Annotated[Pixels, FieldNote(example="1280")] = 1280
    """Width of the picture."""
    height: Pixels = 720
    """Height of the picture."""


class FileSource(_Source, frozen=True, kw_only=True, tag_field="type", tag="file"):
    """Recordings that are replayed one after the other, in real time."""

    files: Annotated[
        tuple[FilePath, ...],
        ListRule(1, 1000, "a path or 1 to 1000 of them", lone=True),
        FieldNote(example="match.ts"),
    ] = msgspec.field(name="file")
    """One path or a list of them."""
    loop: bool = False
    """Whether to start again after the last file."""


_AudioChoice = Annotated[
    str,
    text(
        r"[a-z]{3}|#[0-9]{1,2}|0x[0-9a-f]{1,4}",
        "a language such as eng, an index such as #0, or a PID such as 0x101",
        "eng",
        name="language, index or PID",
    ),
]
_VideoChoice = Annotated[
    str,
    text(
        r"#[0-9]{1,2}|0x[0-9a-f]{1,4}",
        "an index such as #0, or a PID such as 0x100",
        "0x100",
        name="index or PID",
    ),
]
_ProgramNumber = Annotated[int, integer(1, 65535, "a number from 1 to 65535", "1")]


class _Fed(_Source, frozen=True, kw_only=True):
    """A feed that an encoder sends or that is fetched, in a container that ffmpeg demuxes."""

    program: Annotated[_ProgramNumber | None, FieldNote(default="the first")] = None
    """Program of a transport stream that has several."""
    video: Annotated[_VideoChoice | None, FieldNote(default="the first")] = None
    """Video stream, as an index or a PID."""
    audio: Annotated[
        tuple[_AudioChoice, ...],
        ListRule(0, 16, "at most 16 languages, indexes or PIDs", lone=True),
        FieldNote(example="[eng, deu]", default="all"),
    ] = ()
    """Audio streams, in the order of the manifests."""


class RtmpSource(_Fed, frozen=True, kw_only=True, tag_field="type", tag="rtmp"):
    """An encoder publishes to `rtmp://host/live/KEY`."""

    key: _StreamKey
    """Stream key; unique among the RTMP sources."""
    busy: _Busy = "refuse"
    """Policy for a second encoder that uses the key while the first is connected."""


class SrtSource(_Fed, frozen=True, kw_only=True, tag_field="type", tag="srt"):
    """SRT as a listener (`port`) or as a caller (`url`)."""

    port: Annotated[Port | None, FieldNote(example="9000")] = None
    """Port to listen on; set exactly one of `port` and `url`."""
    host: Annotated[Host, FieldNote(example="0.0.0.0")] = "0.0.0.0"  # noqa: S104 -- encoders are on other machines
    """Address to listen on."""
    url: Annotated[Text | None, FieldNote(example="srt://encoder.example:9000")] = None
    """Listener to call, as `srt://host:port`."""
    stream_id: Annotated[Text | None, FieldNote(example="camera-1")] = None
    """Stream id that is sent to the listener at `url`."""
    passphrase: Annotated[SecretText | None, FieldNote(example="$SRT_PASSPHRASE")] = None
    """Passphrase of the encryption, at most 79 characters."""
    latency: Annotated[ShortDuration, FieldNote(example="200ms")] = Fraction(1, 5)
    """Time in which a lost packet can be sent again."""


class UdpSource(_Fed, frozen=True, kw_only=True, tag_field="type", tag="udp"):
    """A transport stream in UDP or RTP packets, unicast or multicast."""

    port: Annotated[Port, FieldNote(example="5000")]
    """Port that the packets are sent to."""
    host: Annotated[Host, FieldNote(example="239.1.1.1")] = "0.0.0.0"  # noqa: S104 -- as above
    """Local address or multicast group that the packets are sent to."""
    interface: Annotated[
        Host | None, FieldNote(example="10.0.0.2", default="the system's choice")
    ] = None
    """Address of the interface that joins the multicast group."""
    sender: Annotated[Host | None, FieldNote(example="10.0.0.9", default="any")] = None
    """Address whose packets are accepted."""


class PushSource(_Fed, frozen=True, kw_only=True, tag_field="type", tag="push"):
    """An encoder sends a transport stream by HTTP PUT or POST to `/push/KEY`."""

    key: _StreamKey
    """Stream key; unique among the sources of types push and cmaf."""
    busy: _Busy = "refuse"
    """Policy for a second encoder that uses the key while the first is connected."""


class HlsSource(_Fed, frozen=True, kw_only=True, tag_field="type", tag="hls"):
    """An HLS stream of another server, fetched and packaged again."""

    url: _Address
    """Address of the playlist."""


class CmafSource(_Source, frozen=True, kw_only=True, tag_field="type", tag="cmaf"):
    """Encoders push a ready ladder (DASH-IF Live Media Ingest, interface 1) to `/cmaf/KEY`."""

    key: _StreamKey
    """Stream key; unique among the sources of types push and cmaf."""


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


class LossConfig(msgspec.Struct, frozen=True, kw_only=True):
    """When a source counts as lost, and what viewers get while every source is lost."""

    no_data: ShortDuration = Fraction(1, 2)
    """Time without a byte after which the source is lost."""
    no_video: Annotated[Threshold, FieldNote(example="2s")] = None
    """Time without a video frame, while bytes arrive."""
    black: Threshold = None
    """Time of black video."""
    frozen: Threshold = None
    """Time of frozen video."""
    silent: Threshold = None
    """Time of silent audio."""
    back_after: Annotated[Duration, FieldNote(example="10s")] = Fraction(10)
    """Time for which a preferred source has to be healthy before the channel returns to it."""
    filler: Annotated[Literal["none", "slate", "last-frame"], FieldNote(example="slate")] = "none"
    """Silent video that continues the timeline: none, a still picture, or the last frame."""
    slate: Annotated[FilePath | None, FieldNote(example="slate.png", default="grey")] = None
    """Picture file for `filler: slate`."""
    filler_is: Annotated[Literal["served", "unavailable"], FieldNote(example="unavailable")] = (
        "served"
    )
    """Response at the live edge while the filler is on air: the filler, or status 503."""


class IngestConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where encoders connect; a port is open only if a source of a channel uses it."""

    host: Annotated[Host, FieldNote(example="0.0.0.0")] = "0.0.0.0"  # noqa: S104 -- as above
    """Address to listen on."""
    rtmp_port: Annotated[Port, FieldNote(example="1935")] = 1935
    """Port for RTMP."""
    rtmps_port: Annotated[Port | None, FieldNote(example="1936", default="closed")] = None
    """Port for RTMP in TLS, beside `rtmp_port`; needs `certificate` and `certificate_key`."""
    http_port: Annotated[Port, FieldNote(example="8082")] = 8082
    """Port for HTTP pushes of transport streams and CMAF."""
    certificate: Annotated[FilePath | None, FieldNote(example="tls/cert.pem")] = None
    """PEM file with the certificate and its chain."""
    certificate_key: Annotated[FilePath | None, FieldNote(example="tls/key.pem")] = None
    """PEM file with the private key of the certificate."""


_USER = re.compile(r"(?<=://)[^/]*@")
"""User and password of an address."""
_NAMED = 3
"""Files of a recording that a description names."""


def source_label(index: int, name: str) -> str:
    """Source `index` of a channel in texts for people: sources count from 1 there."""
    return f"source {index + 1} ({name})"


def described(source: Source) -> str:
    """`source` in a few words, without secrets."""
    match source:
        case FileSource():
            names = ", ".join(basename(file) for file in source.files[:_NAMED])
            return f"file {names}{' …' if len(source.files) > _NAMED else ''}"
        case SrtSource():
            return f"srt on port {source.port}" if source.url is None else source.url
        case UdpSource():
            return f"udp {source.host}:{source.port}"
        case HlsSource():
            return f"hls {_USER.sub('', source.url.partition('?')[0])}"
        case PatternSource() | RtmpSource() | PushSource() | CmafSource():
            return str(source.__struct_config__.tag)
        case _:
            assert_never(source)
