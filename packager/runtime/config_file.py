"""Reads a configuration and all that it names: ladders and source files."""

import os
import stat
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import msgspec

from packager.config import (
    ChannelConfig,
    FileSource,
    OriginConfig,
    Source,
    final_segment,
    parse_config,
)
from packager.errors import ConfigError
from packager.profile import Ladder, parse_ladder
from packager.units import quoted
from packager.yaml_text import MAX_TEXT


@dataclass(frozen=True, slots=True)
class LoadedChannel:
    """One feed, ready to start."""

    name: str
    source: Source
    """Its files are absolute paths."""
    ladder: Ladder
    ladder_name: str
    segment: Fraction
    """Seconds: the channel's own, or else the ladder's."""
    window: Fraction
    """Seconds of the rolling window."""
    retention: Fraction
    """Seconds that media is kept."""


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration with everything that it names."""

    path: Path
    data: Path
    """The folder of journals and media, absolute; it need not exist."""
    ffmpeg: str | None
    """A program's name, or an absolute path; None for the one that comes with Ringside."""
    origin: OriginConfig
    channels: dict[str, LoadedChannel]


def load(path: Path) -> LoadedConfig:
    """The configuration in the file `path`; the paths in it start from its folder.

    Raises:
        ConfigError: it, a ladder or a source file cannot be used.
    """
    file = str(path)
    config = parse_config(_read(path, file, ""), file)
    folder = path.parent
    ladders: dict[str, Ladder] = {}
    channels: dict[str, LoadedChannel] = {}
    for name, channel in config.channels.items():
        place = f"channels.{name}"
        if channel.ladder not in ladders:
            ladders[channel.ladder] = load_ladder(channel.ladder, folder, file, f"{place}.ladder")
        ladder = ladders[channel.ladder]
        channels[name] = LoadedChannel(
            name=name,
            source=_source(channel, folder, file, f"{place}.source.file"),
            ladder=ladder,
            ladder_name=ladder.name,
            segment=final_segment(channel, ladder, file, place),
            window=channel.window,
            retention=channel.retention,
        )
    ffmpeg = config.ffmpeg
    if ffmpeg is not None and "/" in ffmpeg:
        ffmpeg = str(_absolute(folder, ffmpeg, file, "ffmpeg"))
    return LoadedConfig(
        path=path,
        data=_absolute(folder, config.data, file, "data"),
        ffmpeg=ffmpeg,
        origin=config.origin,
        channels=channels,
    )


def shipped_ladders() -> list[str]:
    """The names of the ladders that come with Ringside."""
    entries = (files("profiles") / "ladders").iterdir()
    return sorted(Path(entry.name).stem for entry in entries if entry.name.endswith(".yaml"))


def load_ladder(ladder: str, folder: Path, file: str, where: str) -> Ladder:
    """The ladder that `ladder` names, where `where` of `file` names it."""
    if ladder.endswith(".yaml"):
        path = _absolute(folder, ladder, file, where)
        return parse_ladder(_read(path, file, where), str(path), path.stem)
    shipped = shipped_ladders()
    if ladder not in shipped:
        names = ", ".join(shipped)
        reason = f"no ladder {quoted(ladder)}: there are {names}, or give a path ending in .yaml"
        raise ConfigError(file, where, reason)
    text = (files("profiles") / "ladders" / f"{ladder}.yaml").read_text(encoding="utf-8")
    return parse_ladder(text, f"{ladder}.yaml", ladder)


def _source(channel: ChannelConfig, folder: Path, file: str, where: str) -> Source:
    """The source of `channel` with absolute paths to files that can be read."""
    source = channel.source
    if not isinstance(source, FileSource):
        return source
    paths = [_absolute(folder, name, file, where) for name in source.files]
    for path in paths:
        if (fault := _fault(path)) is not None:
            raise ConfigError(file, where, f"{path}: {fault}")
    return msgspec.structs.replace(source, files=tuple(map(str, paths)))


def _absolute(folder: Path, name: str, file: str, where: str) -> Path:
    """`name` as seen from `folder`, with no links left in it."""
    try:
        return (folder / name).resolve()
    except (OSError, RuntimeError):  # Python 3.11 raises the second for links in a circle.
        raise ConfigError(file, where, f"not a path to follow: {quoted(name)}") from None


def _read(path: Path, file: str, where: str) -> str:
    """The text in `path`, which is `file` itself or else what `where` of `file` names."""
    prefix = f"{path}: " if where else ""
    if (fault := _fault(path)) is not None:
        raise ConfigError(file, where, f"{prefix}{fault}")
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_TEXT + 1)
        if len(data) > MAX_TEXT:
            raise ConfigError(file, where, f"{prefix}longer than {MAX_TEXT // 1024} KiB")
        return data.decode()
    except OSError as error:
        raise ConfigError(file, where, f"{prefix}{error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(file, where, f"{prefix}not UTF-8 (byte {error.start})") from None


def _fault(path: Path) -> str | None:
    """Why `path` is not a file that can be read, or None where it is one."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return error.strerror
    if stat.S_ISDIR(mode):
        return "a folder, not a file"
    if not stat.S_ISREG(mode):
        return "not a regular file"
    return None if os.access(path, os.R_OK) else "no permission to read it"
