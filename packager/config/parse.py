"""YAML text in, typed configuration out; every problem of a text is reported at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar, cast

import msgspec

from packager.config.access import AccessConfig
from packager.config.checks.access import check_access
from packager.config.checks.channel import check_channel
from packager.config.checks.events import check_event
from packager.config.checks.ladder import check_ladder
from packager.config.checks.ports import check_ingest, check_origin, check_service
from packager.config.checks.source import check_srt
from packager.config.decoding.decoder import ConfigDecoder, StructCheck
from packager.config.decoding.report import FileReport
from packager.config.decoding.shapes import struct_shape, tagged_shape
from packager.config.devices import Device
from packager.config.ladder import EncodeLadder, Ladder, MixedLadder, PassthroughLadder
from packager.config.schema.channel import ChannelEntry
from packager.config.schema.events import EventConfig
from packager.config.schema.origin import OriginConfig, ServedChannel, ServedConfig
from packager.config.schema.service import ServiceConfig
from packager.config.sources import IngestConfig, SrtSource
from packager.config.yaml_reader import YamlMap, read_yaml
from packager.errors import ConfigError

_T = TypeVar("_T")
_S = TypeVar("_S", bound=msgspec.Struct)

_CHECKS: Mapping[type[msgspec.Struct], StructCheck] = {
    AccessConfig: check_access,
    ChannelEntry: check_channel,
    EncodeLadder: check_ladder,
    EventConfig: check_event,
    IngestConfig: check_ingest,
    MixedLadder: check_ladder,
    OriginConfig: check_origin,
    PassthroughLadder: check_ladder,
    ServiceConfig: check_service,
    SrtSource: check_srt,
}

_PACKAGER_KEYS: Mapping[type[msgspec.Struct], frozenset[str]] = {
    kind: frozenset(struct_shape(whole).fields) - frozenset(struct_shape(kind).fields)
    for kind, whole in ((ServedConfig, ServiceConfig), (ServedChannel, ChannelEntry))
}
"""Keys that the origin does not read."""

_NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ParsedFile(Generic[_T]):
    """A file that was read."""

    value: _T | None
    """None where the text holds no mapping; with stand-ins where the report has problems."""
    report: FileReport

    def result(self) -> _T:
        """The value of a file without problems.

        Raises:
            ConfigError: the file has problems.
        """
        if self.value is None or self.report.problems:
            raise ConfigError(*self.report.problems)
        return self.value


def read_config(
    text: str, file: str, environment: Mapping[str, str] = _NO_ENVIRONMENT
) -> ParsedFile[ServiceConfig]:
    """The configuration in `text`; errors call it `file`.

    Secrets that are written as `$NAME` are read from `environment`.
    """
    return _read_struct(ServiceConfig, text, file, environment)


def parse_config(
    text: str, file: str, environment: Mapping[str, str] = _NO_ENVIRONMENT
) -> ServiceConfig:
    """As `read_config`.

    Raises:
        ConfigError: not a configuration.
    """
    return read_config(text, file, environment).result()


def parse_served_config(
    text: str, file: str, environment: Mapping[str, str] = _NO_ENVIRONMENT
) -> ServedConfig:
    """The origin's view of the configuration in `text`: sources and their secrets are not read.

    Raises:
        ConfigError: not a configuration.
    """
    return _read_struct(ServedConfig, text, file, environment).result()


def read_ladder(text: str, file: str, name: str) -> ParsedFile[Ladder]:
    """The ladder in `text`; errors call it `file`, a configuration calls it `name`."""
    shape = tagged_shape(Ladder)
    given = {"name": name, "file": file}
    parsed = _read(
        text, file, _NO_ENVIRONMENT, lambda decoder, node: decoder.tagged(node, shape, "", given)
    )
    return cast("ParsedFile[Ladder]", parsed)


def parse_ladder(text: str, file: str, name: str) -> Ladder:
    """As `read_ladder`.

    Raises:
        ConfigError: not a ladder.
    """
    return read_ladder(text, file, name).result()


def parse_device(text: str, file: str) -> Device:
    """The device profile in `text`; errors call it `file`.

    Raises:
        ConfigError: not a profile.
    """
    return _read_struct(Device, text, file, _NO_ENVIRONMENT).result()


def _read_struct(
    kind: type[_S], text: str, file: str, environment: Mapping[str, str]
) -> ParsedFile[_S]:
    shape = struct_shape(kind)
    parsed = _read(text, file, environment, lambda decoder, node: decoder.struct(node, shape, ""))
    return cast("ParsedFile[_S]", parsed)


def _read(
    text: str,
    file: str,
    environment: Mapping[str, str],
    decode: Callable[[ConfigDecoder, YamlMap], object],
) -> ParsedFile[object]:
    tree, problems = read_yaml(text, file)
    report = FileReport(file, tree)
    for problem in problems:
        report.add(problem)
    if tree is None:
        return ParsedFile(None, report)
    decoder = ConfigDecoder(report, environment, _CHECKS, _PACKAGER_KEYS)
    return ParsedFile(decode(decoder, tree), report)
