"""Reads a configuration and all that it names: ladders and source files."""

import os
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import msgspec

from packager.access import AccessConfig
from packager.config import (
    ChannelConfig,
    EventConfig,
    OriginConfig,
    final_segment,
    parse_config,
)
from packager.errors import ConfigError
from packager.profile import Ladder, parse_ladder
from packager.records import EventSet
from packager.shipped import shipped
from packager.source import FileSource, IngestConfig, LossConfig, Source
from packager.text_file import fault, read
from packager.ticks import UtcMicros
from packager.units import quoted


@dataclass(frozen=True, slots=True)
class LoadedChannel:
    """One feed, ready to start."""

    name: str
    sources: tuple[Source, ...]
    """In the order of preference, one at least; paths of files are absolute."""
    ladder: Ladder
    ladder_name: str
    segment: Fraction
    """Seconds: the channel's own, or else the ladder's."""
    window: Fraction
    """Seconds of the rolling window."""
    retention: Fraction
    """Seconds that media is kept."""
    retention_size: int
    """Bytes of media that are kept at most; 0 for any number."""
    events: tuple[EventSet, ...]
    """The schedule."""
    access: AccessConfig = field(default_factory=AccessConfig)
    """Who may have it."""
    loss: LossConfig = field(default_factory=LossConfig)
    """When a source counts as lost; the path of its slate is absolute."""


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration with everything that it names."""

    path: Path
    data: Path
    """The folder of journals and media, absolute; it need not exist."""
    ffmpeg: str | None
    """A program's name, or an absolute path; None for the one that comes with Ringside."""
    origin: OriginConfig
    ingest: IngestConfig
    """Its paths are absolute."""
    channels: dict[str, LoadedChannel]


def load(path: Path) -> LoadedConfig:
    """The configuration in the file `path`; the paths in it start from its folder.

    Secrets that it names by `$NAME` are those of this process's environment.

    Raises:
        ConfigError: it, a ladder or a source file cannot be used.
    """
    file = str(path)
    config = parse_config(read(path, file), file, os.environ)
    folder = path.parent
    ladders: dict[str, Ladder] = {}
    channels: dict[str, LoadedChannel] = {}
    for name, channel in config.channels.items():
        place = f"channels.{name}"
        if channel.ladder not in ladders:
            ladders[channel.ladder] = load_ladder(channel.ladder, folder, file, f"{place}.ladder")
        ladder = ladders[channel.ladder]
        if channel.latency is not None:
            ladder = msgspec.structs.replace(ladder, latency=channel.latency)
        channels[name] = LoadedChannel(
            name=name,
            sources=_sources(channel, folder, file, place),
            ladder=ladder,
            ladder_name=ladder.name,
            segment=final_segment(channel, ladder, file, place),
            window=channel.window,
            retention=channel.retention,
            retention_size=channel.retention_size,
            events=tuple(_event(event, said) for event, said in channel.events.items()),
            access=channel.access,
            loss=_loss(channel.loss, folder, file, f"{place}.loss.slate"),
        )
    ffmpeg = config.ffmpeg
    if ffmpeg is not None and "/" in ffmpeg:
        ffmpeg = str(_absolute(folder, ffmpeg, file, "ffmpeg"))
    return LoadedConfig(
        path=path,
        data=_absolute(folder, config.data, file, "data"),
        ffmpeg=ffmpeg,
        origin=config.origin,
        ingest=_ingest(config.ingest, folder, file),
        channels=channels,
    )


def _event(name: str, said: EventConfig) -> EventSet:
    end = None if said.end is None else UtcMicros(said.end)
    return EventSet(name, UtcMicros(said.start), end, said.pin)


def shipped_ladders() -> list[str]:
    """The names of the ladders that come with Ringside."""
    return list(shipped("ladders"))


def load_ladder(ladder: str, folder: Path, file: str, where: str) -> Ladder:
    """The ladder that `ladder` names, where `where` of `file` names it."""
    if ladder.endswith(".yaml"):
        path = _absolute(folder, ladder, file, where)
        return parse_ladder(read(path, file, where), str(path), path.stem)
    known = shipped("ladders")
    if ladder not in known:
        names = ", ".join(known)
        reason = f"no ladder {quoted(ladder)}: there are {names}, or give a path ending in .yaml"
        raise ConfigError(file, where, reason)
    text = known[ladder].read_text(encoding="utf-8")
    return parse_ladder(text, f"{ladder}.yaml", ladder)


def _sources(channel: ChannelConfig, folder: Path, file: str, place: str) -> tuple[Source, ...]:
    """The sources of `channel` with absolute paths to files that can be read."""
    if channel.source is not None:
        return (_source(channel.source, folder, file, f"{place}.source.file"),)
    listed = enumerate(channel.sources)
    return tuple(_source(one, folder, file, f"{place}.sources[{at}].file") for at, one in listed)


def _source(source: Source, folder: Path, file: str, where: str) -> Source:
    if not isinstance(source, FileSource):
        return source
    paths = tuple(_readable(name, folder, file, where) for name in source.files)
    return msgspec.structs.replace(source, files=paths)


def _ingest(ingest: IngestConfig, folder: Path, file: str) -> IngestConfig:
    if ingest.certificate is None or ingest.certificate_key is None:
        return ingest
    return msgspec.structs.replace(
        ingest,
        certificate=_readable(ingest.certificate, folder, file, "ingest.certificate"),
        certificate_key=_readable(ingest.certificate_key, folder, file, "ingest.certificate_key"),
    )


def _loss(loss: LossConfig, folder: Path, file: str, where: str) -> LossConfig:
    if loss.slate is None:
        return loss
    return msgspec.structs.replace(loss, slate=_readable(loss.slate, folder, file, where))


def _readable(name: str, folder: Path, file: str, where: str) -> str:
    """The absolute path of a file that can be read."""
    path = _absolute(folder, name, file, where)
    if (reason := fault(path)) is not None:
        raise ConfigError(file, where, f"{path}: {reason}")
    return str(path)


def _absolute(folder: Path, name: str, file: str, where: str) -> Path:
    """`name` as seen from `folder`, with no links left in it."""
    try:
        return (folder / name).resolve()
    except (OSError, RuntimeError):  # Python 3.11 raises the second for links in a circle.
        raise ConfigError(file, where, f"not a path to follow: {quoted(name)}") from None
