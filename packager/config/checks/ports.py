"""Rules of ports and stream keys, which all channels share."""

from collections.abc import Iterator
from typing import NamedTuple

from packager.config.checks.channel import placed_sources
from packager.config.decoding.report import FileReport
from packager.config.schema.origin import OriginConfig
from packager.config.schema.service import ServiceConfig
from packager.config.secret import Secret
from packager.config.sources import (
    CmafSource,
    IngestConfig,
    PushSource,
    RtmpSource,
    Source,
    SrtSource,
    UdpSource,
)

_WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 -- compared with, not bound


class _TcpPort(NamedTuple):
    host: str
    path: str
    port: int


def check_origin(origin: object, path: str, report: FileReport) -> None:
    """Check that the public and the control port differ."""
    if not isinstance(origin, OriginConfig):
        raise TypeError(origin)
    hosts = {
        "127.0.0.1" if host == "localhost" else host for host in (origin.host, origin.control_host)
    }
    if origin.port == origin.control_port and (len(hosts) == 1 or hosts & _WILDCARDS):
        inputs = [f"{path}.{key}" for key in ("port", "host", "control_host")]
        reason = f"{origin.port} is the public port too"
        report.broken(f"{path}.control_port", reason, "use another port, such as 8081", *inputs)


def check_ingest(ingest: object, path: str, report: FileReport) -> None:
    """Check that RTMPS has a certificate."""
    if not isinstance(ingest, IngestConfig):
        raise TypeError(ingest)
    if ingest.rtmps_port is not None and not (ingest.certificate and ingest.certificate_key):
        inputs = [f"{path}.certificate", f"{path}.certificate_key"]
        reason = "rtmps_port needs certificate and certificate_key"
        report.broken(f"{path}.rtmps_port", reason, "add both, or remove rtmps_port", *inputs)


def check_service(config: object, path: str, report: FileReport) -> None:
    """Check that no stream key and no port is used for two sources."""
    if not isinstance(config, ServiceConfig):
        raise TypeError(config, path)
    _check_keys(config, report)
    _check_tcp(config, report)
    _check_udp(config, report)


def _sources(config: ServiceConfig) -> Iterator[tuple[str, Source]]:
    for name, channel in config.channels.items():
        yield from placed_sources(channel, f"channels.{name}")


def _check_keys(config: ServiceConfig, report: FileReport) -> None:
    first: dict[tuple[bool, Secret], str] = {}
    for place, source in _sources(config):
        if not isinstance(source, RtmpSource | PushSource | CmafSource):
            continue
        path = f"{place}.key"
        # RTMP has a port of its own, so a key may also be one of an HTTP source.
        other = first.setdefault((isinstance(source, RtmpSource), source.key), path)
        if other != path:
            reason = f"the stream key is also {other}"
            report.broken(path, reason, "give every source a key of its own", other)


def _check_tcp(config: ServiceConfig, report: FileReport) -> None:
    """Check that no TCP port is opened twice; on different hosts it may be."""
    origin = config.origin
    taken = [
        _TcpPort(origin.host, "origin.port", origin.port),
        _TcpPort(origin.control_host, "origin.control_port", origin.control_port),
    ]
    for wanted in _ingest_ports(config):
        for other in taken:
            shared = wanted.host == other.host or {wanted.host, other.host} & _WILDCARDS
            if wanted.port == other.port and shared:
                reason = f"{wanted.port} is {other.path} too"
                remedy = "use another port for one of them"
                hosts = [f"{one.path.partition('.')[0]}.host" for one in (wanted, other)]
                report.broken(wanted.path, reason, remedy, other.path, *hosts)
                break
        taken.append(wanted)


def _ingest_ports(config: ServiceConfig) -> Iterator[_TcpPort]:
    """The TCP ports that sources of the channels open."""
    ingest = config.ingest
    kinds = {type(source) for _, source in _sources(config)}
    if RtmpSource in kinds:
        yield _TcpPort(ingest.host, "ingest.rtmp_port", ingest.rtmp_port)
        if ingest.rtmps_port is not None:
            yield _TcpPort(ingest.host, "ingest.rtmps_port", ingest.rtmps_port)
    if kinds & {PushSource, CmafSource}:
        yield _TcpPort(ingest.host, "ingest.http_port", ingest.http_port)


def _check_udp(config: ServiceConfig, report: FileReport) -> None:
    """Check that no two sources would receive the same packets."""
    first: dict[tuple[object, ...], str] = {}
    for place, source in _sources(config):
        match source:
            case SrtSource(port=int(port)):
                wanted: tuple[object, ...] = (port, source.host, None, None)
            case UdpSource():
                wanted = (source.port, source.host, source.interface, source.sender)
            case _:
                continue
        if (other := first.setdefault(wanted, place)) != place:
            inputs = [f"{one}.{key}" for one in (place, other) for key in _UDP_KEYS]
            remedy = "use another port for one of them"
            report.broken(f"{place}.port", f"the port is also that of {other}", remedy, *inputs)


_UDP_KEYS = ("port", "host", "interface", "sender")
