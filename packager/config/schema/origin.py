"""The origin's part of the configuration: the ports, and the view of a channel that it serves."""

from fractions import Fraction
from typing import Annotated, Literal

import msgspec

from packager.config.access import AccessConfig
from packager.config.devices import Device
from packager.config.fields import Duration, FilePath, Host, Port, SecretText
from packager.config.scalars import FieldNote, MapRule, integer, size
from packager.config.sources import LossConfig


class OriginConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where the origin listens and how it serves."""

    host: Annotated[Host, FieldNote(example="0.0.0.0")] = "0.0.0.0"  # noqa: S104 -- viewers are on other machines
    """Address of the public port, which serves media and manifests."""
    port: Port = 8080
    """The public port."""
    control_host: Host = "127.0.0.1"
    """Address of the control port, which serves status page, metrics and API."""
    control_port: Annotated[Port, FieldNote(example="8081")] = 8081
    """The control port."""
    cdn: Annotated[
        Literal["generic", "akamai", "cloudfront", "fastly", "google"], FieldNote(example="fastly")
    ] = "generic"
    """CDN in front of the origin: its caching rules decide the headers."""
    workers: Annotated[int, integer(1, 64, "a number from 1 to 64", "4", unit="processes")] = 1
    """Processes that serve the public port."""
    memory: Annotated[int, size(16_000_000, 1 << 40, "a size from 16M to 1T", "512M")] = 256_000_000
    """Media and manifests that each worker keeps in memory."""
    connections: Annotated[int, integer(1, 1_000_000, "a number from 1 to 1000000", "50000")] = (
        20_000
    )
    """Most connections of each worker."""
    prefetch_hint: bool = False
    """Whether the response with a segment names the next one (`Link: rel="next"`)."""
    cdn_cache_control: bool = False
    """Whether CDNs get a cache lifetime of their own (RFC 9213)."""
    access_log: Annotated[
        Literal["off", "errors", "sampled", "full"], FieldNote(example="full")
    ] = "sampled"
    """Requests that are logged: none, errors, errors and one in a hundred others, all."""
    control_token: Annotated[SecretText | None, FieldNote(example="$CONTROL_TOKEN")] = None
    """Secret that requests to the control port have to present."""


Devices = Annotated[
    dict[str, Device],
    MapRule(0, 100, "a mapping of at most 100 names to devices", "a device", "DEVICE"),
    FieldNote(example="{old-tv: {max_height: 720}}"),
]
DataFolder = Annotated[FilePath, FieldNote(example="./data")]


class ServedChannel(msgspec.Struct, frozen=True, kw_only=True):
    """What the origin reads of a channel."""

    window: Annotated[Duration, FieldNote(example="2h")] = Fraction(120)
    """Rolling window: how far back from the live edge a viewer can seek."""
    retention: Annotated[Duration, FieldNote(example="1d")] = Fraction(600)
    """Age at which media is deleted; at least the window and four segments."""
    access: Annotated[AccessConfig, FieldNote(example="{token_keys: [$TOKEN_KEY]}")] = (
        AccessConfig()
    )
    """Tokens and secrets that are needed to play the channel."""
    loss: Annotated[LossConfig, FieldNote(example="{filler: slate}")] = LossConfig()
    """When a source counts as lost, and what viewers get then."""


class ServedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the origin reads of a configuration: no source, no ladder, no secret of an encoder."""

    data: DataFolder
    """The folder of journals and media, relative to the configuration file."""
    origin: OriginConfig = OriginConfig()
    devices: Devices = msgspec.field(default_factory=dict[str, Device])
    channels: Annotated[
        dict[str, ServedChannel], MapRule(1, 500, "1 to 500 channels", "a channel", "CHANNEL")
    ]
