"""The configuration: which feeds there are, how they are cut and where they are served.

YAML text in, typed values out. What depends on a ladder is checked by `final_segment`, once the
ladder of a channel is known.
"""

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, Literal, cast

import msgspec

from packager.access import AccessConfig, read_access
from packager.errors import ConfigError
from packager.events import MOST, instant
from packager.profile import Ladder, PassthroughLadder, Pixels, segment_fault
from packager.retention import SPARE
from packager.secret import Secret, hidden
from packager.track import TRACK_ID
from packager.units import format_duration, parse_duration, parse_size
from packager.yaml_text import Words, convert, read_yaml

_Text = Annotated[str, msgspec.Meta(min_length=1, description="text")]

_Host = Annotated[
    str,
    msgspec.Meta(
        pattern=r"\A[0-9A-Za-z.:_-]{1,253}\Z",
        description="a host name or an address",
    ),
]

_Port = Annotated[int, msgspec.Meta(ge=1, le=65535, description="a port from 1 to 65535")]

_WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 -- compared with, not bound


class OriginConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the origin listens."""

    host: _Host = "0.0.0.0"  # noqa: S104 -- an origin is there to be reached
    """Of the public port: media and manifests."""
    port: _Port = 8080
    control_host: _Host = "127.0.0.1"
    """Of the control port: status page, metrics and API."""
    control_port: _Port = 8081
    cdn: Literal["generic", "akamai", "cloudfront", "fastly", "google"] = "generic"
    """Whose caching rules the answers are made for."""
    workers: Annotated[int, msgspec.Meta(ge=1, le=64, description="a number from 1 to 64")] = 1
    """Processes that serve the public port."""
    memory: Annotated[
        int, msgspec.Meta(ge=16_000_000, le=1 << 40, description="a size from 16M to 1T")
    ] = 256_000_000
    """Bytes of media and manifests that each of them keeps at hand."""
    connections: Annotated[
        int, msgspec.Meta(ge=1, le=1_000_000, description="a number from 1 to 1000000")
    ] = 20_000
    """That each of them has at most."""
    prefetch_hint: bool = False
    """Whether the answer to a segment names the next one (`Link: rel="next"`)."""
    cdn_cache_control: bool = False
    """Whether CDNs are told apart from players how long to keep things (RFC 9213)."""
    access_log: Literal["off", "errors", "sampled", "full"] = "sampled"
    """Lines for none, errors alone, those and one in a hundred others, all."""
    control_token: Annotated[Secret, msgspec.Meta(description="a secret")] | None = None
    """What the control port wants to be shown."""


class PatternSource(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="type",
    tag="pattern",
):
    """A test picture and tone, at the ladder's frame rate."""

    width: Pixels = 1280
    height: Pixels = 720


class FileSource(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="type",
    tag="file",
):
    """Recordings replayed one after the other, at the pace they were made."""

    files: Annotated[
        tuple[_Text, ...],
        msgspec.Meta(min_length=1, max_length=1000, description="a path or 1 to 1000 of them"),
    ] = msgspec.field(name="file")
    """Paths; in YAML `file`, one path or a list of them."""
    loop: bool = False
    """Whether to begin again after the last."""


Source = PatternSource | FileSource


_Instant = Annotated[int, msgspec.Meta(description="a time such as 2026-01-01T00:00:00Z")]


class EventConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stretch of the timeline that is known beforehand."""

    start: _Instant
    """Microseconds since the Unix epoch; in YAML, ISO 8601."""
    end: _Instant | None = None
    """The same; none while it is not known."""
    pin: bool = False
    """Whether it stays when the retention has passed it."""


class ChannelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One feed, as configured."""

    source: Source
    ladder: _Text
    """The name of a shipped ladder, or a path that ends in `.yaml`."""
    segment: Fraction | None = None
    """Seconds, in place of the ladder's."""
    window: Fraction = Fraction(120)
    """Seconds of the rolling window: how far back a live viewer can seek."""
    retention: Fraction = Fraction(600)
    """Seconds that media is kept."""
    retention_size: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Bytes of media that are kept at most; 0 for any number."""
    events: Annotated[
        dict[str, EventConfig],
        msgspec.Meta(max_length=MOST, description=f"a mapping of at most {MOST} names to events"),
    ] = msgspec.field(default_factory=dict[str, EventConfig])
    """The schedule, by name."""
    access: AccessConfig = AccessConfig()
    """Who may have it."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A configuration file."""

    data: _Text
    """The folder of journals and media, relative to the configuration file."""
    ffmpeg: _Text | None = None
    """A program in place of the one that comes with Ringside."""
    origin: OriginConfig = OriginConfig()
    channels: Annotated[
        dict[str, ChannelConfig],
        msgspec.Meta(min_length=1, max_length=500, description="1 to 500 channels"),
    ]


def _one(text: str) -> list[str]:
    return [text]


_WORDS: Words = {
    "file": _one,
    "segment": parse_duration,
    "window": parse_duration,
    "retention": parse_duration,
    "retention_size": parse_size,
    "memory": parse_size,
    "start": instant,
    "end": instant,
}


_NOWHERE: Mapping[str, str] = MappingProxyType({})


def parse_config(text: str, file: str, environment: Mapping[str, str] = _NOWHERE) -> Config:
    """The configuration in `text`; `file` is what errors call it.

    Secrets that it names by `$NAME` are those of `environment`.

    Raises:
        ConfigError: not a configuration.
    """
    tree = read_yaml(text, file)
    channels = tree.get("channels")
    if isinstance(channels, dict):
        # One by one: msgspec names no key of a dict in its errors.
        named = cast("dict[str, object]", channels).items()
        tree["channels"] = {name: _channel(name, node, file, environment) for name, node in named}
    if isinstance(origin := tree.get("origin"), dict):
        tree["origin"] = _with_token(cast("dict[str, object]", origin), file, environment)
    config = convert(tree, Config, file, _WORDS)
    _check_ports(config.origin, file)
    return config


def _with_token(
    origin: dict[str, object], file: str, environment: Mapping[str, str]
) -> dict[str, object]:
    """`origin` with its token read: what errors say of the rest, they cannot say of it."""
    if (token := origin.get("control_token")) is None:
        return origin
    return {**origin, "control_token": hidden(token, file, "origin.control_token", environment)}


def _channel(name: str, node: object, file: str, environment: Mapping[str, str]) -> ChannelConfig:
    path = f"channels.{name}"
    if TRACK_ID.fullmatch(name) is None:
        reason = "a channel's name is at most 32 of a-z, 0-9, - and _, and begins with none of - _"
        raise ConfigError(file, path, reason)
    if isinstance(node, dict):
        node = dict(cast("dict[str, object]", node))
        if isinstance(events := node.get("events"), dict):
            # One by one, as the channels are.
            schedule = cast("dict[str, object]", events).items()
            said = {event: _event(event, of, file, f"{path}.events") for event, of in schedule}
            node["events"] = said
        if "access" in node:
            node["access"] = read_access(node["access"], environment, file, f"{path}.access")
    return convert(node, ChannelConfig, file, _WORDS, path)


def _event(name: str, node: object, file: str, path: str) -> EventConfig:
    if TRACK_ID.fullmatch(name) is None:
        reason = "an event's name is at most 32 of a-z, 0-9, - and _, and begins with none of - _"
        raise ConfigError(file, f"{path}.{name}", reason)
    event = convert(node, EventConfig, file, _WORDS, f"{path}.{name}")
    if event.end is not None and event.end <= event.start:
        raise ConfigError(file, f"{path}.{name}.end", "not after the start")
    return event


def _check_ports(origin: OriginConfig, file: str) -> None:
    hosts = {
        "127.0.0.1" if host == "localhost" else host for host in (origin.host, origin.control_host)
    }
    if origin.port == origin.control_port and (len(hosts) == 1 or hosts & _WILDCARDS):
        raise ConfigError(file, "origin.control_port", f"{origin.port} is the public port too")


def final_segment(channel: ChannelConfig, ladder: Ladder, file: str, path: str) -> Fraction:
    """The segment duration of `channel`, in seconds, after checking that all fits its `ladder`.

    `file` and `path` are the place of the channel in the configuration.

    Raises:
        ConfigError: channel and ladder do not go together.
    """
    if isinstance(channel.source, PatternSource) and isinstance(ladder, PassthroughLadder):
        reason = f"{ladder.name!r} encodes nothing, and a test pattern has to be encoded"
        raise ConfigError(file, f"{path}.ladder", reason)
    segment = ladder.segment if channel.segment is None else channel.segment
    if (fault := segment_fault(segment, ladder)) is not None:
        raise ConfigError(file, f"{path}.segment", fault)
    spare = SPARE * segment
    if channel.window < spare:
        reason = (
            f"{format_duration(channel.window)} is less than {SPARE} segments, "
            f"{format_duration(spare)}"
        )
        raise ConfigError(file, f"{path}.window", reason)
    if channel.retention < channel.window + spare:
        reason = (
            f"{format_duration(channel.retention)} is less than the window and "
            f"{SPARE} segments, {format_duration(channel.window + spare)}"
        )
        raise ConfigError(file, f"{path}.retention", reason)
    return segment
