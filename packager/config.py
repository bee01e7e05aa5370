"""The configuration: which feeds there are, how they are cut and where they are served.

YAML text in, typed values out. What depends on a ladder is checked by `final_segment`, once the
ladder of a channel is known.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, Literal, cast, get_args

import msgspec

from packager.access import AccessConfig, read_access
from packager.device import Device
from packager.errors import ConfigError
from packager.events import MOST, instant
from packager.profile import Ladder, Latency, PassthroughLadder, segment_fault
from packager.retention import SPARE
from packager.secret import Secret, hidden
from packager.source import (
    CmafSource,
    FileSource,
    Host,
    IngestConfig,
    LossConfig,
    PatternSource,
    Port,
    PushSource,
    RtmpSource,
    Source,
    SrtSource,
    Text,
    UdpSource,
    threshold,
)
from packager.track import TRACK_ID
from packager.units import (
    format_duration,
    parse_bit_rate,
    parse_duration,
    parse_frame_rate,
    parse_size,
)
from packager.yaml_text import Words, convert, read_yaml

_WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 -- compared with, not bound


class OriginConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the origin listens."""

    host: Host = "0.0.0.0"  # noqa: S104 -- an origin is there to be reached
    """Of the public port: media and manifests."""
    port: Port = 8080
    control_host: Host = "127.0.0.1"
    """Of the control port: status page, metrics and API."""
    control_port: Port = 8081
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

    source: Source | None = None
    sources: Annotated[
        tuple[Source, ...], msgspec.Meta(max_length=8, description="a list of 1 to 8 sources")
    ] = ()
    """In the order of preference; in place of `source`."""
    ladder: Text
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
    loss: LossConfig = LossConfig()
    """When a source counts as lost, and what then."""
    latency: Latency | None = None
    """In place of the ladder's."""

    @property
    def all_sources(self) -> tuple[Source, ...]:
        """One at least."""
        return self.sources if self.source is None else (self.source,)


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A configuration file."""

    data: Text
    """The folder of journals and media, relative to the configuration file."""
    ffmpeg: Text | None = None
    """A program in place of the one that comes with Ringside."""
    ingest: IngestConfig = IngestConfig()
    origin: OriginConfig = OriginConfig()
    devices: Annotated[
        dict[str, Device],
        msgspec.Meta(max_length=100, description="a mapping of at most 100 names to devices"),
    ] = msgspec.field(default_factory=dict[str, Device])
    """Profiles beside those that come with Ringside, or in their place."""
    channels: Annotated[
        dict[str, ChannelConfig],
        msgspec.Meta(min_length=1, max_length=500, description="1 to 500 channels"),
    ]


_SECRETS = ("key", "passphrase")
_SRT = re.compile(r"srt://(?:[0-9A-Za-z.-]{1,253}|\[[0-9a-f:.]{2,45}\]):[0-9]{1,5}")
_LONGEST_PASSPHRASE = 79


def _one(text: str) -> list[str]:
    return [text]


def _latency(said: str) -> object:
    """SRT's is a duration, a channel's one of two words."""
    if said in get_args(Latency):
        return said
    try:
        return parse_duration(said)
    except ValueError as error:
        reason = f"neither {' nor '.join(get_args(Latency))}, nor a duration for SRT: {said!r}"
        raise ValueError(reason) from error


_WORDS: Words = {
    "file": _one,
    "audio": _one,
    "latency": _latency,
    "no_data": parse_duration,
    "no_video": threshold,
    "black": threshold,
    "frozen": threshold,
    "silent": threshold,
    "back_after": parse_duration,
    "segment": parse_duration,
    "window": parse_duration,
    "retention": parse_duration,
    "retention_size": parse_size,
    "memory": parse_size,
    "max_bitrate": parse_bit_rate,
    "max_frame_rate": parse_frame_rate,
    "start": instant,
    "end": instant,
}


_NOWHERE: Mapping[str, str] = MappingProxyType({})


def parse_config(
    text: str, file: str, environment: Mapping[str, str] = _NOWHERE, *, feeds: bool = True
) -> Config:
    """The configuration in `text`; `file` is what errors call it.

    Secrets that it names by `$NAME` are those of `environment`. Without `feeds` sources are passed
    over: an origin needs none of them, and none of their secrets.

    Raises:
        ConfigError: not a configuration.
    """
    tree = read_yaml(text, file)
    channels = tree.get("channels")
    if isinstance(channels, dict):
        # One by one: msgspec names no key of a dict in its errors.
        named = cast("dict[str, object]", channels).items()
        tree["channels"] = {
            name: _channel(name, node if feeds else _without_feeds(node), file, environment)
            for name, node in named
        }
    if isinstance(devices := tree.get("devices"), dict):
        kinds = cast("dict[str, object]", devices).items()
        tree["devices"] = {name: _device(name, node, file) for name, node in kinds}
    if isinstance(origin := tree.get("origin"), dict):
        tree["origin"] = _with_token(cast("dict[str, object]", origin), file, environment)
    config = convert(tree, Config, file, _WORDS)
    _check_ports(config.origin, file)
    _check_ingest(config, file)
    return config


def _without_feeds(node: object) -> object:
    if not isinstance(node, dict):
        return node
    kept = {key: of for key, of in cast("dict[str, object]", node).items() if key != "sources"}
    return {**kept, "source": {"type": "pattern"}}


def _with_token(
    origin: dict[str, object], file: str, environment: Mapping[str, str]
) -> dict[str, object]:
    """`origin` with its token read: what errors say of the rest, they cannot say of it."""
    if (token := origin.get("control_token")) is None:
        return origin
    return {**origin, "control_token": hidden(token, file, "origin.control_token", environment)}


def _check_name(name: str, whose: str, file: str, place: str) -> None:
    if TRACK_ID.fullmatch(name) is None:
        reason = f"{whose}'s name is at most 32 of a-z, 0-9, - and _, and begins with none of - _"
        raise ConfigError(file, place, reason)


def _channel(name: str, node: object, file: str, environment: Mapping[str, str]) -> ChannelConfig:
    path = f"channels.{name}"
    _check_name(name, "a channel", file, path)
    if isinstance(node, dict):
        node = dict(cast("dict[str, object]", node))
        if isinstance(events := node.get("events"), dict):
            # One by one, as the channels are.
            schedule = cast("dict[str, object]", events).items()
            said = {event: _event(event, of, file, f"{path}.events") for event, of in schedule}
            node["events"] = said
        _hide_keys(node, environment, file, path)
        if "access" in node:
            node["access"] = read_access(node["access"], environment, file, f"{path}.access")
    channel = convert(node, ChannelConfig, file, _WORDS, path)
    _check_sources(channel, file, path)
    return channel


def _device(name: str, node: object, file: str) -> Device:
    path = f"devices.{name}"
    _check_name(name, "a device", file, path)
    return convert(node, Device, file, _WORDS, path)


def parse_device(text: str, file: str) -> Device:
    """The device profile in `text`; `file` is what errors call it.

    Raises:
        ConfigError: not a profile.
    """
    return convert(read_yaml(text, file), Device, file, _WORDS)


def _hide_keys(
    node: dict[str, object], environment: Mapping[str, str], file: str, path: str
) -> None:
    """Read the secrets of a channel's sources in place."""

    def read(source: object, where: str) -> object:
        if not isinstance(source, dict):
            return source
        return {
            key: hidden(value, file, f"{where}.{key}", environment) if key in _SECRETS else value
            for key, value in cast("dict[str, object]", source).items()
        }

    if "source" in node:
        node["source"] = read(node["source"], f"{path}.source")
    if isinstance(sources := node.get("sources"), list):
        listed = enumerate(cast("list[object]", sources))
        node["sources"] = [read(source, f"{path}.sources[{index}]") for index, source in listed]


def _check_sources(channel: ChannelConfig, file: str, path: str) -> None:
    if channel.source is not None and channel.sources:
        raise ConfigError(file, f"{path}.sources", "there is a source already: put it in the list")
    if not channel.all_sources:
        raise ConfigError(file, f"{path}.source", "missing")
    if channel.loss.slate is not None and channel.loss.filler == "none":
        raise ConfigError(file, f"{path}.loss.slate", "nobody sees it without a filler")
    for place, source in _placed(channel, path):
        if isinstance(source, CmafSource) and channel.loss != LossConfig():
            raise ConfigError(file, f"{path}.loss", "cmaf has none: encoders back each other up")
        if isinstance(source, CmafSource) and channel.latency == "low":
            reason = "what is pushed as cmaf comes in chunks of any length: not served in parts"
            raise ConfigError(file, f"{path}.latency", reason)
        if isinstance(source, CmafSource) and channel.sources[1:]:
            raise ConfigError(file, place, "cmaf is a channel's only source: its encoders share it")
        if isinstance(source, FileSource) and not source.loop and channel.sources[1:]:
            raise ConfigError(file, place, "a file beside other sources has no end: loop: true")
        if isinstance(source, SrtSource):
            _check_srt(source, file, place)


def _placed(channel: ChannelConfig, path: str) -> list[tuple[str, Source]]:
    """The sources of a channel at `path`, with their places."""
    if channel.source is not None:
        return [(f"{path}.source", channel.source)]
    return [(f"{path}.sources[{index}]", source) for index, source in enumerate(channel.sources)]


def _check_srt(source: SrtSource, file: str, place: str) -> None:
    if (source.port is None) == (source.url is None):
        raise ConfigError(file, place, "one of port, to be called at, and url, to call, is wanted")
    if source.stream_id is not None and source.url is None:
        raise ConfigError(file, f"{place}.stream_id", "it is for who calls: url is wanted")
    if source.url is not None and _SRT.fullmatch(source.url) is None:
        raise ConfigError(file, f"{place}.url", "expected srt://host:port")
    if source.passphrase is not None and len(source.passphrase.octets) > _LONGEST_PASSPHRASE:
        raise ConfigError(
            file, f"{place}.passphrase", f"more than {_LONGEST_PASSPHRASE} characters"
        )


def _check_ingest(config: Config, file: str) -> None:
    """See that no key and no port stands for two sources."""
    ingest = config.ingest
    if ingest.rtmps_port is not None and not (ingest.certificate and ingest.certificate_key):
        reason = "rtmps_port wants certificate and certificate_key"
        raise ConfigError(file, "ingest", reason)
    keys: dict[tuple[str, Secret], str] = {}
    for name, channel in config.channels.items():
        for place, source in _placed(channel, f"channels.{name}"):
            key = getattr(source, "key", None)
            if not isinstance(key, Secret):
                continue
            kind = "rtmp" if isinstance(source, RtmpSource) else "http"
            if (other := keys.setdefault((kind, key), place)) != place:
                raise ConfigError(file, f"{place}.key", f"the key of {other} too")
    _check_tcp(config, file)
    _check_udp(config, file)


def _check_tcp(config: Config, file: str) -> None:
    """See that no port of TCP is wanted twice; on other hosts than ours it may be."""
    ingest, origin = config.ingest, config.origin
    kinds = {type(source) for channel in config.channels.values() for source in channel.all_sources}
    wanted: list[tuple[str, str, int]] = []
    if RtmpSource in kinds:
        wanted.append((ingest.host, "ingest.rtmp_port", ingest.rtmp_port))
        if ingest.rtmps_port is not None:
            wanted.append((ingest.host, "ingest.rtmps_port", ingest.rtmps_port))
    if kinds & {PushSource, CmafSource}:
        wanted.append((ingest.host, "ingest.http_port", ingest.http_port))
    taken = [
        (origin.host, "origin.port", origin.port),
        (origin.control_host, "origin.control_port", origin.control_port),
    ]
    for host, name, port in wanted:
        for other_host, other, its in taken:
            if port == its and (host == other_host or {host, other_host} & _WILDCARDS):
                raise ConfigError(file, name, f"{port} is {other} too")
        taken.append((host, name, port))


def _check_udp(config: Config, file: str) -> None:
    """See that no port is wanted by two sources that would get the same packets."""
    taken: dict[tuple[object, ...], str] = {}
    for name, channel in config.channels.items():
        for place, source in _placed(channel, f"channels.{name}"):
            match source:
                case SrtSource(port=int(port)):
                    wanted: tuple[object, ...] = (port, source.host, None, None)
                case UdpSource():
                    wanted = (source.port, source.host, source.interface, source.sender)
                case _:
                    continue
            if (other := taken.setdefault(wanted, place)) != place:
                raise ConfigError(file, f"{place}.port", f"the port of {other} too")


def _event(name: str, node: object, file: str, path: str) -> EventConfig:
    _check_name(name, "an event", file, f"{path}.{name}")
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
    is_passed = isinstance(ladder, PassthroughLadder)
    for source in channel.all_sources:
        if isinstance(source, PatternSource) and is_passed:
            reason = f"{ladder.name!r} encodes nothing, and a test pattern has to be encoded"
            raise ConfigError(file, f"{path}.ladder", reason)
        if isinstance(source, CmafSource) and not is_passed:
            reason = f"{ladder.name!r} encodes, and cmaf brings a ready ladder: take passthrough"
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
