"""Reads a configuration and everything it names: ladders, and the paths of other files."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from packager.config.checks.channel import check_ladder_fits, placed_sources
from packager.config.decoding.report import FileReport
from packager.config.ladder import Ladder
from packager.config.parse import parse_served_config, read_config
from packager.config.schema.channel import ChannelConfig, ChannelEntry, resolve
from packager.config.schema.origin import OriginConfig, ServedConfig
from packager.config.schema.service import ServiceConfig
from packager.config.sources import FileSource, IngestConfig, LossConfig, Source
from packager.errors import ConfigError
from packager.host.ladder_files import LadderFiles, absolute
from packager.host.text_file import fault, read


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration with everything that it names."""

    path: Path
    data: Path
    """The folder of journals and media, absolute; it may be missing."""
    ffmpeg: str | None
    """A program's name, or an absolute path; None for the one that is installed with Ringside."""
    origin: OriginConfig
    ingest: IngestConfig
    """Its paths are absolute."""
    channels: dict[str, ChannelConfig]


def load(path: Path) -> LoadedConfig:
    """The configuration in the file `path`; the paths in it start from its folder.

    Secrets that are written as `$NAME` are read from the environment of this process.

    Raises:
        ConfigError: with all problems of the configuration, its ladders and the files it names.
    """
    file = str(path)
    parsed = read_config(read(path, file), file, os.environ)
    if parsed.value is None:
        raise ConfigError(*parsed.report.problems)
    loader = _Loader(path, parsed.report)
    loaded = loader.load(parsed.value)
    problems = (*parsed.report.problems, *loader.ladders.problems)
    if problems or loaded is None:
        raise ConfigError(*problems)
    return loaded


def load_served(path: Path) -> ServedConfig:
    """The origin's view of the configuration in the file `path`.

    Ladders and source files need not exist: they belong to the packager.

    Raises:
        ConfigError: with all problems of the configuration.
    """
    file = str(path)
    return parse_served_config(read(path, file), file, os.environ)


class _Loader:
    """Resolves the names and paths of one configuration, and reports those that lead nowhere."""

    def __init__(self, path: Path, report: FileReport) -> None:
        self._path = path
        self._folder = path.parent
        self._report = report
        self.ladders = LadderFiles(self._folder)

    def load(self, config: ServiceConfig) -> LoadedConfig | None:
        """The configuration; None, or one with stand-ins, where the report has problems."""
        ffmpeg: str | None = config.ffmpeg
        if ffmpeg is not None and "/" in ffmpeg:
            ffmpeg = str(absolute(self._folder, ffmpeg, "ffmpeg", self._report))
        data = absolute(self._folder, config.data, "data", self._report)
        ingest = self._ingest(config.ingest)
        channels = self._channels(config.channels)
        if data is None or len(channels) < len(config.channels):
            return None
        return LoadedConfig(
            path=self._path,
            data=data,
            ffmpeg=ffmpeg,
            origin=config.origin,
            ingest=ingest,
            channels=channels,
        )

    def _channels(self, entries: Mapping[str, ChannelEntry]) -> dict[str, ChannelConfig]:
        """The channels whose ladder could be read."""
        channels: dict[str, ChannelConfig] = {}
        for name, entry in entries.items():
            path = f"channels.{name}"
            ladder = self._ladder(entry, path)
            sources = tuple(
                self._source(source, place) for place, source in placed_sources(entry, path)
            )
            loss = self._loss(entry.loss, f"{path}.loss.slate")
            if ladder is None:
                continue
            channel = resolve(name, entry, ladder)
            channels[name] = msgspec.structs.replace(channel, sources=sources, loss=loss)
        return channels

    def _ladder(self, entry: ChannelEntry, path: str) -> Ladder | None:
        parsed = self.ladders.find(entry.ladder, f"{path}.ladder", self._report)
        if parsed is None or parsed.value is None or parsed.report.problems:
            return None
        check_ladder_fits(entry, parsed.value, path, self._report)
        return parsed.value

    def _source(self, source: Source, path: str) -> Source:
        if not isinstance(source, FileSource):
            return source
        places = [f"{path}.file"]
        if len(source.files) > 1:
            places = [f"{path}.file[{index}]" for index in range(len(source.files))]
        files = tuple(map(self._readable, source.files, places))
        return msgspec.structs.replace(source, files=files)

    def _ingest(self, ingest: IngestConfig) -> IngestConfig:
        if ingest.certificate is None or ingest.certificate_key is None:
            return ingest
        return msgspec.structs.replace(
            ingest,
            certificate=self._readable(ingest.certificate, "ingest.certificate"),
            certificate_key=self._readable(ingest.certificate_key, "ingest.certificate_key"),
        )

    def _loss(self, loss: LossConfig, path: str) -> LossConfig:
        if loss.slate is None:
            return loss
        return msgspec.structs.replace(loss, slate=self._readable(loss.slate, path))

    def _readable(self, name: str, path: str) -> str:
        """The absolute path of a file; a file that cannot be read is a problem at `path`."""
        file = absolute(self._folder, name, path, self._report)
        if file is None:
            return name
        if (reason := fault(file)) is not None:
            remedy = "check the path and the permissions of the file"
            self._report.broken(path, f"{file}: {reason}", remedy)
        return str(file)
