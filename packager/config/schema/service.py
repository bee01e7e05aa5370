"""A configuration file as a whole."""

from typing import Annotated

import msgspec

from packager.config.devices import Device
from packager.config.fields import Text
from packager.config.scalars import FieldNote, MapRule
from packager.config.schema.channel import ChannelEntry
from packager.config.schema.origin import DataFolder, Devices, OriginConfig
from packager.config.sources import IngestConfig


class ServiceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The top level of the file."""

    data: DataFolder
    """Folder of journals and media, relative to the configuration file."""
    ffmpeg: Annotated[
        Text | None,
        FieldNote(example="/usr/bin/ffmpeg", default="the one that is installed with Ringside"),
    ] = None
    """Name or path of the ffmpeg program."""
    ingest: Annotated[IngestConfig, FieldNote(example="{rtmp_port: 1935}")] = IngestConfig()
    """Where encoders connect."""
    origin: Annotated[OriginConfig, FieldNote(example="{port: 80}")] = OriginConfig()
    """Where the origin listens and how it serves."""
    devices: Devices = msgspec.field(default_factory=dict[str, Device])
    """Kinds of devices, beside the shipped ones or in their place."""
    channels: Annotated[
        dict[str, ChannelEntry],
        MapRule(1, 500, "1 to 500 channels", "a channel", "CHANNEL"),
        FieldNote(example="{demo: {source: {type: pattern}, ladder: demo}}"),
    ]
    """The channels, by name."""
