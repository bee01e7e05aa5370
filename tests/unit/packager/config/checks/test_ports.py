from packager.config.parse import parse_config
from tests.support.problems import lines_of

KEY = "key: a-key-of-some-encoder"


def lines(channels: str, more: str = "") -> list[str]:
    text = f"data: d\nchannels:\n{channels}{more}"
    return lines_of(lambda: parse_config(text, "r.yaml"))


def channel(name: str, source: str) -> str:
    return f"  {name}: {{ladder: passthrough, source: {{{source}}}}}\n"


def test_a_stream_key_is_used_once_by_each_protocol() -> None:
    rtmp, push, cmaf = (f"type: {kind}, {KEY}" for kind in ("rtmp", "push", "cmaf"))
    parse_config(f"data: d\nchannels:\n{channel('a', rtmp)}{channel('b', push)}", "r.yaml")
    assert lines(channel("a", push) + channel("b", cmaf) + channel("c", rtmp)) == [
        "channels.b.source.key: the stream key is also channels.a.source.key"
    ]


def test_a_key_that_is_wrong_is_not_reported_as_used_twice() -> None:
    source = "type: rtmp, key: short"
    found = lines(channel("a", source) + channel("b", source))
    assert [line.partition(":")[0] for line in found] == [
        "channels.a.source.key",
        "channels.b.source.key",
    ]


def test_a_port_that_is_wrong_is_not_reported_as_used_twice() -> None:
    source = "type: udp, port: 0"
    found = lines(channel("a", source) + channel("b", source))
    assert [line.partition(": ")[2] for line in found] == [
        "expected a port from 1 to 65535, got '0'"
    ] * 2


def test_rtmps_needs_a_certificate() -> None:
    assert lines(channel("a", f"type: rtmp, {KEY}"), "ingest: {rtmps_port: 1936}\n") == [
        "ingest.rtmps_port: rtmps_port needs certificate and certificate_key"
    ]


def test_two_receivers_of_the_same_packets_are_refused() -> None:
    assert lines(channel("a", "type: srt, port: 9000") + channel("b", "type: srt, port: 9000")) == [
        "channels.b.source.port: the port is also that of channels.a.source"
    ]
