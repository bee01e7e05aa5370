from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packager.config.ladder import (
    AudioRendition,
    EncodeLadder,
    PassthroughLadder,
    VideoRendition,
)
from packager.config.parse import parse_config
from packager.config.schema.channel import ChannelEntry
from packager.config.schema.events import EventConfig
from packager.config.schema.origin import OriginConfig
from packager.config.schema.service import ServiceConfig
from packager.config.sources import FileSource, PatternSource
from packager.errors import ConfigError
from tests.support.problems import lines_of, problems_of

GOOD = """\
data: ./data
origin:
  port: 80
  cdn: fastly
channels:
  demo:
    source:
      type: pattern
      width: 640
    ladder: demo
  harbour:
    source:
      type: file
      file: a.ts
      loop: true
    ladder: my/ladder.yaml
    segment: 3.84s
    window: 2h
    retention: 1d
"""

SMALL = "data: d\nchannels: {a: {source: {type: pattern}, ladder: demo}}"

ENCODE = EncodeLadder(
    name="demo",
    frame_rate=Fraction(25),
    segment=Fraction(48, 25),
    video=(VideoRendition(id="v", width=640, height=360, bitrate=800_000),),
    audio=AudioRendition(),
)
PASSTHROUGH = PassthroughLadder(name="passthrough", segment=Fraction(6))

PATTERN = PatternSource()
FILE = FileSource(files=("a.ts",))


def faults(text: str) -> str:
    return "\n".join(map(str, problems_of(lambda: parse_config(text, "r.yaml"))))


def test_config() -> None:
    assert parse_config(GOOD, "r.yaml") == ServiceConfig(
        data="./data",
        ffmpeg=None,
        origin=OriginConfig(port=80, cdn="fastly"),
        channels={
            "demo": ChannelEntry(source=PatternSource(width=640, height=720), ladder="demo"),
            "harbour": ChannelEntry(
                source=FileSource(files=("a.ts",), loop=True),
                ladder="my/ladder.yaml",
                segment=Fraction(96, 25),
                window=Fraction(7200),
                retention=Fraction(86400),
            ),
        },
    )


def test_defaults() -> None:
    config = parse_config(SMALL, "r.yaml")
    channel = config.channels["a"]
    assert channel.source == PatternSource(width=1280, height=720)
    assert (channel.segment, channel.window, channel.retention) == (None, 120, 600)
    assert config.ffmpeg is None
    assert config.origin == OriginConfig(
        host="0.0.0.0",
        port=8080,
        control_host="127.0.0.1",
        control_port=8081,
        cdn="generic",
    )


def test_list_of_files() -> None:
    config = parse_config(GOOD.replace("file: a.ts", "file: [a.ts, b.ts]"), "r.yaml")
    assert config.channels["harbour"].source == FileSource(files=("a.ts", "b.ts"), loop=True)


def test_a_program_in_place_of_ffmpeg() -> None:
    assert parse_config(SMALL + "\nffmpeg: ffmpeg-9", "r.yaml").ffmpeg == "ffmpeg-9"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("data: ./data\n", "", "r.yaml:1:1: data: missing: add `data: ./data`"),
        ("./data", "", "r.yaml:1:6: data: expected text, got nothing: use for example ./data"),
        (
            "./data",
            "[a]",
            "r.yaml:1:7: data: expected text, got a list of 1: use for example ./data",
        ),
        ("data:", "dat:", "r.yaml:1:1: dat: unknown key: did you mean data?"),
        (
            "data:",
            "ffmpeg:\ndata:",
            "r.yaml:1:8: ffmpeg: expected text, got nothing: use for example /usr/bin/ffmpeg",
        ),
        (
            "data:",
            "ffmpeg: {}\ndata:",
            (
                "r.yaml:1:9: ffmpeg: expected text, got a mapping of 0: use for example "
                "/usr/bin/ffmpeg"
            ),
        ),
        (
            "port: 80",
            "port: 0",
            (
                "r.yaml:3:9: origin.port: expected a port from 1 to 65535, got '0': use for "
                "example 8080"
            ),
        ),
        (
            "port: 80",
            "port: http",
            (
                "r.yaml:3:9: origin.port: expected a port from 1 to 65535, got 'http': use "
                "for example 8080"
            ),
        ),
        (
            "port: 80",
            "port: 8081",
            (
                "r.yaml:3:3: origin.control_port: 8081 is the public port too: use another "
                "port, such as 8081"
            ),
        ),
        ("port: 80", "prot: 80", "r.yaml:3:3: origin.prot: unknown key: did you mean port?"),
        (
            "port: 80",
            "host: 'a b'",
            (
                "r.yaml:3:9: origin.host: expected a host name or an address, got 'a b': use "
                "for example 0.0.0.0"
            ),
        ),
        (
            "fastly",
            "bunny",
            (
                "r.yaml:4:8: origin.cdn: expected generic, akamai, cloudfront, fastly or "
                "google, got 'bunny': use one of these"
            ),
        ),
        (
            "demo:\n",
            "Demo:\n",
            (
                "r.yaml:6:3: channels.Demo: a channel's name has at most 32 of a-z, 0-9, - "
                "and _: begin it with a-z or 0-9"
            ),
        ),
        (
            "demo:\n",
            "main stage:\n",
            "r.yaml:6:3: channels: not a key: write at most 64 letters, digits, - and _",
        ),
        (
            "harbour:",
            "demo:",
            "r.yaml:11:3: channels.demo: given twice, first on line 6: remove one of the two",
        ),
        (
            "type: pattern",
            "typ: pattern",
            (
                "r.yaml:8:7: channels.demo.source.type: missing: add `type:` with pattern, "
                "file, rtmp, srt, udp, push, hls or cmaf"
            ),
        ),
        (
            "type: pattern",
            "type: dvb",
            (
                "r.yaml:8:13: channels.demo.source.type: expected pattern, file, rtmp, srt, "
                "udp, push, hls or cmaf, got 'dvb': use one of these"
            ),
        ),
        (
            "width: 640",
            "frame_rate: 25",
            (
                "r.yaml:9:7: channels.demo.source.frame_rate: unknown key: the keys are "
                "type, width and height"
            ),
        ),
        (
            "width: 640",
            "width: 99999",
            (
                "r.yaml:9:14: channels.demo.source.width: expected an even number of pixels "
                "from 16 to 7680, got '99999': use for example 1280"
            ),
        ),
        (
            "file: a.ts",
            "files: [a.ts]",
            "r.yaml:14:7: channels.harbour.source.files: unknown key: did you mean file?",
        ),
        (
            "      file: a.ts\n",
            "",
            "r.yaml:13:7: channels.harbour.source.file: missing: add `file: match.ts`",
        ),
        (
            "file: a.ts",
            "file: []",
            (
                "r.yaml:14:13: channels.harbour.source.file: expected a path or 1 to 1000 of "
                "them, got a list of 0: write a list of 1 to 1000"
            ),
        ),
        (
            "file: a.ts",
            "file: {a: b}",
            (
                "r.yaml:14:13: channels.harbour.source.file: expected a path or 1 to 1000 of "
                "them, got a mapping of 1: write a list of 1 to 1000"
            ),
        ),
        (
            "file: a.ts",
            "file: [a.ts, [b.ts]]",
            (
                "r.yaml:14:20: channels.harbour.source.file[1]: expected text, got a list of "
                "1: use for example ./data"
            ),
        ),
        (
            "file: a.ts",
            "file:",
            (
                "r.yaml:14:12: channels.harbour.source.file: expected text, got nothing: use "
                "for example ./data"
            ),
        ),
        (
            "loop: true",
            "loop: yes",
            (
                "r.yaml:15:13: channels.harbour.source.loop: expected true or false, got "
                "'yes': use for example true"
            ),
        ),
        (
            "window: 2h",
            "window: 120",
            (
                "r.yaml:18:13: channels.harbour.window: expected a duration, got '120': "
                "write 1.92s, 32/15s, 500ms, 2m or 12h"
            ),
        ),
        (
            "window: 2h",
            "window: [2h]",
            (
                "r.yaml:18:13: channels.harbour.window: expected a duration, got a list of "
                "1: write 1.92s, 32/15s, 500ms, 2m or 12h"
            ),
        ),
        (
            "retention:",
            "retenton:",
            "r.yaml:19:5: channels.harbour.retenton: unknown key: did you mean retention?",
        ),
        ("    ladder: demo\n", "", "r.yaml:7:5: channels.demo.ladder: missing: add `ladder: demo`"),
        (
            "ladder: demo",
            "ladder:",
            "r.yaml:10:12: channels.demo.ladder: expected text, got nothing: use for example demo",
        ),
    ],
)
def test_fault(old: str, new: str, expected: str) -> None:
    assert GOOD.count(old) == 1
    assert faults(GOOD.replace(old, new)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "r.yaml: empty: see docs/configuration.md"),
        (
            "data: d",
            (
                "r.yaml:1:1: channels: missing: add `channels: {demo: {source: {type: "
                "pattern}, ladder: demo}}`"
            ),
        ),
        (
            "data: d\nchannels:",
            (
                "r.yaml:2:10: channels: expected 1 to 500 channels, got nothing: write 1 to "
                "500 entries, each `CHANNEL: …`"
            ),
        ),
        (
            "data: d\nchannels: {}",
            (
                "r.yaml:2:11: channels: expected 1 to 500 channels, got a mapping of 0: "
                "write 1 to 500 entries, each `CHANNEL: …`"
            ),
        ),
        (
            "data: d\nchannels: [a]",
            (
                "r.yaml:2:11: channels: expected 1 to 500 channels, got a list of 1: write 1 "
                "to 500 entries, each `CHANNEL: …`"
            ),
        ),
        (
            "data: d\nchannels: {a: x}",
            (
                "r.yaml:2:15: channels.a: expected a mapping, got 'x': write keys below it, "
                "such as source, sources and ladder"
            ),
        ),
        (
            "data: d\nchannels: {a: {source: x}}",
            (
                "r.yaml:2:15: channels.a.ladder: missing: add `ladder: demo`\n"
                "r.yaml:2:24: channels.a.source: expected a mapping, got 'x': write keys "
                "below it, such as type"
            ),
        ),
        (
            "data: d\nchannels: {window: x}",
            (
                "r.yaml:2:20: channels.window: expected a mapping, got 'x': write keys below "
                "it, such as source, sources and ladder"
            ),
        ),
        (
            "data: [",
            (
                "r.yaml:1:8: expected the node content, but found '<stream end>': check the "
                "indentation, quotes and brackets here and on the line above"
            ),
        ),
    ],
)
def test_fault_of_a_whole_text(text: str, expected: str) -> None:
    assert faults(text) == expected


def test_number_of_channels() -> None:
    def text(count: int) -> str:
        channel = "{source: {type: pattern}, ladder: demo}"
        return "data: d\nchannels:\n" + "".join(f"  c{n}: {channel}\n" for n in range(count))

    assert len(parse_config(text(500), "r.yaml").channels) == 500
    assert lines_of(lambda: parse_config(text(501), "r.yaml")) == [
        "channels: expected 1 to 500 channels, got a mapping of 501"
    ]


@pytest.mark.parametrize(
    ("host", "control_host", "clash"),
    [
        ("0.0.0.0", "127.0.0.1", True),
        ("10.0.0.1", "'::'", True),
        ("127.0.0.1", "localhost", True),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "127.0.0.1", False),
    ],
)
def test_one_port_for_both(host: str, control_host: str, *, clash: bool) -> None:
    origin = f"{{host: {host}, port: 80, control_host: {control_host}, control_port: 80}}"
    text = f"{SMALL}\norigin: {origin}"
    if clash:
        assert lines_of(lambda: parse_config(text, "r.yaml")) == [
            "origin.control_port: 80 is the public port too"
        ]
    else:
        assert parse_config(text, "r.yaml").origin.port == 80


SCRAPS = [": ", "- ", "{", "}", "[", "]", "'", '"', "\n", "  ", "&a", "*a", "<<", "!!", "|", "> "]
SCRAPS += ["? ", "#", "%", "---\n", "...", "\\", "null", "data", "channels", "0", "\x00", "\ud800"]
SCRAPS += ["` - at `$.origin`", r'"\x00"', r'"\uD800"', "1/0s", "file"]


@st.composite
def mangled(draw: st.DrawFn) -> str:
    text = GOOD
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + draw(st.text(max_size=6) | st.sampled_from(SCRAPS)) + text[end:]
    return text


@settings(deadline=None)
@given(mangled() | st.text())
def test_any_text_is_a_config_or_a_config_error(text: str) -> None:
    try:
        parse_config(text, "r.yaml")
    except ConfigError as error:
        assert all(str(problem).isprintable() for problem in error.problems)


SCHEDULE = """\
data: ./data
channels:
  arena:
    source: {type: pattern}
    ladder: demo
    retention: 1d
    retention_size: 1.5T
    events:
      fight-1: {start: 2026-11-28T20:00:00+01:00, end: 2026-11-28T22:30:00+01:00, pin: true}
      open: {start: 2026-11-28T20:00:00Z}
"""


def test_a_schedule() -> None:
    channel = parse_config(SCHEDULE, "x.yaml").channels["arena"]
    assert channel.retention_size == 1_500_000_000_000
    assert channel.events == {
        "fight-1": EventConfig(start=1_795_892_400_000_000, end=1_795_901_400_000_000, pin=True),
        "open": EventConfig(start=1_795_896_000_000_000),
    }


@pytest.mark.parametrize(
    ("good", "bad", "reason"),
    [
        ("1.5T", "lots", "retention_size: expected a size, got 'lots'"),
        ("1.5T", "0M", "retention_size: expected a size, got '0M'"),
        ("fight-1", "Fight", "events.Fight: an event's name has at most 32 of a-z, 0-9, - and _"),
        ("22:30:00+01:00", "19:30:00+01:00", "events.fight-1.end: not after the start"),
        (
            "20:00:00Z",
            "20:00:00",
            (
                "events.open.start: expected a time such as 2026-01-01T00:00:00Z, got "
                "'2026-11-28T20:00:00'"
            ),
        ),
        (
            "2026-11-28T20:00:00Z",
            "now",
            "events.open.start: expected a time such as 2026-01-01T00:00:00Z, got 'now'",
        ),
        (
            "2026-11-28T20:00:00Z",
            "[a]",
            "events.open.start: expected a time such as 2026-01-01T00:00:00Z, got a list of 1",
        ),
        (
            "2026-11-28T20:00:00+",
            "9999-11-28T20:00:00+",
            (
                "events.fight-1.start: expected a time such as 2026-01-01T00:00:00Z, got "
                "'9999-11-28T20:00:00+01:00'"
            ),
        ),
        (
            "2026-11-28T22:30",
            "2286-11-28T22:30",
            (
                "events.fight-1.end: expected a time such as 2026-01-01T00:00:00Z, got "
                "'2286-11-28T22:30:00+01:00'"
            ),
        ),
        ("pin: true", "pin: maybe", "events.fight-1.pin: expected true or false, got 'maybe'"),
        ("pin: true", "pinn: true", "events.fight-1.pinn: unknown key"),
    ],
)
def test_a_fault_of_a_schedule(good: str, bad: str, reason: str) -> None:
    (line,) = lines_of(lambda: parse_config(SCHEDULE.replace(good, bad), "x.yaml"))
    assert line == f"channels.arena.{reason}"


@pytest.mark.parametrize(("bad", "got"), [("[f]", "a list of 1"), ("fight", "'fight'")])
def test_a_schedule_is_a_mapping_of_names(bad: str, got: str) -> None:
    text = f"{SCHEDULE.partition('    events:')[0]}    events: {bad}\n"
    wanted = f"expected a mapping of at most 1000 names to events, got {got}"
    assert lines_of(lambda: parse_config(text, "x.yaml")) == [f"channels.arena.events: {wanted}"]


_PASSED = "ladder: passthrough"
_KEY = "key: a-key-of-some-encoder"


@pytest.mark.parametrize(
    ("sources", "ingest", "reason"),
    [
        (f"rtmp, {_KEY}", "rtmp_port: 8080", "ingest.rtmp_port: 8080 is origin.port too"),
        (f"rtmp, {_KEY}", "http_port: 8080", ""),
        (f"rtmp, {_KEY}", "host: 10.0.0.1, rtmp_port: 8081", ""),
        (f"push, {_KEY}", "http_port: 8081", "ingest.http_port: 8081 is origin.control_port too"),
        (
            f"rtmp, {_KEY}}}, {{type: push, {_KEY}",
            "http_port: 1935",
            "ingest.http_port: 1935 is ingest.rtmp_port too",
        ),
        (
            "udp, port: 9000}, {type: srt, port: 9000",
            "",
            "channels.a.sources[1].port: the port is also that of channels.a.sources[0]",
        ),
        ("udp, port: 9000, sender: 10.0.0.1}, {type: udp, port: 9000, sender: 10.0.0.2", "", ""),
    ],
)
def test_a_port_is_opened_once(sources: str, ingest: str, reason: str) -> None:
    text = f"""
data: d
channels:
  a: {{{_PASSED}, sources: [{{type: {sources}}}]}}
ingest: {{{ingest}}}
"""
    if not reason:
        parse_config(text, "r.yaml")
        return
    assert lines_of(lambda: parse_config(text, "r.yaml")) == [reason]


ONE_SOURCE = "data: d\nchannels: {{a: {{ladder: passthrough, {}}}}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "window: 60s",
            "r.yaml:2:15: channels.a.source: missing: add `source: {type: pattern}` or `sources:`",
        ),
        (
            "source: {type: srt, port: 9000, stream_id: x}",
            (
                "r.yaml:2:80: channels.a.source.stream_id: a stream id is sent to the "
                "listener at url, and there is no url: set url in place of port, or remove it"
            ),
        ),
        (
            "sources: [{type: srt}]",
            (
                "r.yaml:2:47: channels.a.sources[0]: set exactly one of port and url: port "
                "to listen for the encoder, url to call it"
            ),
        ),
        (
            "source: {type: srt, url: srt://x}",
            (
                "r.yaml:2:62: channels.a.source.url: expected srt://host:port: use for "
                "example srt://10.0.0.5:9000"
            ),
        ),
        (
            "source: {type: hls, url: http://x}, loss: {slate: x.png}",
            (
                "r.yaml:2:87: channels.a.loss.slate: slate has no effect unless filler is "
                "slate or last-frame: set filler: slate"
            ),
        ),
        (
            "source: {type: cmaf, key: 0123456789abcdef}, loss: {filler: slate}",
            (
                "r.yaml:2:88: channels.a.loss: loss has no effect on a cmaf source: its "
                "encoders back each other up: remove loss"
            ),
        ),
        (
            "source: {type: cmaf, key: a-key-of-sixteen-characters}, latency: low",
            (
                "r.yaml:2:102: channels.a.latency: a cmaf source sends chunks of any length, "
                "which cannot be served in parts: use standard, or remove latency"
            ),
        ),
        (
            "source: {type: pattern}, latency: lowest",
            (
                "r.yaml:2:71: channels.a.latency: expected standard or low, got 'lowest': "
                "use one of these"
            ),
        ),
        (
            "sources: [{type: pattern}, {type: file, file: a.ts}]",
            (
                "r.yaml:2:64: channels.a.sources[1]: a file beside other sources has no end: "
                "set loop: true"
            ),
        ),
        (
            "source: {type: pattern}, sources: [{type: pattern}]",
            "r.yaml:2:71: channels.a.sources: there is a source already: move it into this list",
        ),
        (
            "source: {type: hls, url: http://x, audio: English}",
            (
                "r.yaml:2:79: channels.a.source.audio: expected a language such as eng, an "
                "index such as #0, or a PID such as 0x101, got 'English': use for example eng"
            ),
        ),
    ],
)
def test_rules_of_sources(text: str, expected: str) -> None:
    assert faults(ONE_SOURCE.format(text)) == expected
