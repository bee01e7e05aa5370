from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packager.config import (
    ChannelConfig,
    Config,
    EventConfig,
    OriginConfig,
    final_segment,
    parse_config,
)
from packager.errors import ConfigError
from packager.profile import AudioRung, EncodeLadder, Ladder, PassthroughLadder, VideoRung
from packager.source import FileSource, PatternSource

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
    video=(VideoRung(id="v", width=640, height=360, bitrate=800_000),),
    audio=AudioRung(),
)
PASSTHROUGH = PassthroughLadder(name="passthrough", segment=Fraction(6))

PATTERN = PatternSource()
FILE = FileSource(files=("a.ts",))


def fault(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "r.yaml")
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_config() -> None:
    assert parse_config(GOOD, "r.yaml") == Config(
        data="./data",
        ffmpeg=None,
        origin=OriginConfig(port=80, cdn="fastly"),
        channels={
            "demo": ChannelConfig(source=PatternSource(width=640, height=720), ladder="demo"),
            "harbour": ChannelConfig(
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
        ("data: ./data\n", "", "data: missing"),
        ("./data", "", "data: expected text, got nothing"),
        ("./data", "[a]", "data: expected text, got a list of 1"),
        ("data:", "dat:", "dat: unknown key (did you mean data?)"),
        ("data:", "ffmpeg:\ndata:", "ffmpeg: expected text, got nothing"),
        ("data:", "ffmpeg: {}\ndata:", "ffmpeg: expected text, got a mapping of 0"),
        ("port: 80", "port: 0", "origin.port: expected a port from 1 to 65535, got '0'"),
        ("port: 80", "port: http", "origin.port: expected a port from 1 to 65535, got 'http'"),
        ("port: 80", "port: 8081", "origin.control_port: 8081 is the public port too"),
        ("port: 80", "prot: 80", "origin.prot: unknown key (did you mean port?)"),
        (
            "port: 80",
            "host: 'a b'",
            "origin.host: expected a host name or an address, got 'a b'",
        ),
        (
            "fastly",
            "bunny",
            "origin.cdn: expected akamai, cloudfront, fastly, generic or google, got 'bunny'",
        ),
        (
            "demo:\n",
            "Demo:\n",
            (
                "channels.Demo: a channel's name is at most 32 of a-z, 0-9, - and _,"
                " and begins with none of - _"
            ),
        ),
        (
            "demo:\n",
            "main stage:\n",
            "channels: not a key: 'main stage' (write letters, digits, - and _)",
        ),
        ("harbour:", "demo:", "channels.demo: given twice (line 11)"),
        ("type: pattern", "typ: pattern", "channels.demo.source.type: missing"),
        (
            "type: pattern",
            "type: dvb",
            (
                "channels.demo.source.type: expected pattern, file, rtmp, srt, udp, push, hls"
                " or cmaf, got 'dvb'"
            ),
        ),
        (
            "width: 640",
            "frame_rate: 25",
            "channels.demo.source.frame_rate: unknown key",
        ),
        (
            "width: 640",
            "width: 99999",
            (
                "channels.demo.source.width: expected an even number of pixels from 16 to 7680,"
                " got '99999'"
            ),
        ),
        (
            "file: a.ts",
            "files: [a.ts]",
            "channels.harbour.source.files: unknown key (did you mean file?)",
        ),
        ("      file: a.ts\n", "", "channels.harbour.source.file: missing"),
        (
            "file: a.ts",
            "file: []",
            "channels.harbour.source.file: expected a path or 1 to 1000 of them, got a list of 0",
        ),
        (
            "file: a.ts",
            "file: {a: b}",
            (
                "channels.harbour.source.file: expected a path or 1 to 1000 of them,"
                " got a mapping of 1"
            ),
        ),
        (
            "file: a.ts",
            "file: [a.ts, [b.ts]]",
            "channels.harbour.source.file[1]: expected text, got a list of 1",
        ),
        ("file: a.ts", "file:", "channels.harbour.source.file[0]: expected text, got nothing"),
        (
            "loop: true",
            "loop: yes",
            "channels.harbour.source.loop: expected true or false, got 'yes'",
        ),
        (
            "window: 2h",
            "window: 120",
            (
                "channels.harbour.window: not a duration: '120'"
                " (write 1.92s, 32/15s, 500ms, 2m or 12h)"
            ),
        ),
        (
            "window: 2h",
            "window: [2h]",
            "channels.harbour.window: expected one value, got a list of 1",
        ),
        (
            "retention:",
            "retenton:",
            "channels.harbour.retenton: unknown key (did you mean retention?)",
        ),
        ("    ladder: demo\n", "", "channels.demo.ladder: missing"),
        ("ladder: demo", "ladder:", "channels.demo.ladder: expected text, got nothing"),
    ],
)
def test_fault(old: str, new: str, expected: str) -> None:
    assert GOOD.count(old) == 1
    assert fault(GOOD.replace(old, new)) == f"r.yaml: {expected}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "empty"),
        ("data: d", "channels: missing"),
        ("data: d\nchannels:", "channels: expected 1 to 500 channels, got nothing"),
        ("data: d\nchannels: {}", "channels: expected 1 to 500 channels, got a mapping of 0"),
        ("data: d\nchannels: [a]", "channels: expected 1 to 500 channels, got a list of 1"),
        ("data: d\nchannels: {a: x}", "channels.a: expected a mapping, got 'x'"),
        ("data: d\nchannels: {a: {source: x}}", "channels.a.source: expected a mapping, got 'x'"),
        ("data: d\nchannels: {window: x}", "channels.window: expected a mapping, got 'x'"),
        ("data: [", "line 1: expected the node content, but found '<stream end>'"),
    ],
)
def test_fault_of_a_whole_text(text: str, expected: str) -> None:
    assert fault(text) == f"r.yaml: {expected}"


def test_number_of_channels() -> None:
    def text(count: int) -> str:
        channel = "{source: {type: pattern}, ladder: demo}"
        return "data: d\nchannels:\n" + "".join(f"  c{n}: {channel}\n" for n in range(count))

    assert len(parse_config(text(500), "r.yaml").channels) == 500
    expected = "r.yaml: channels: expected 1 to 500 channels, got a mapping of 501"
    assert fault(text(501)) == expected


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
        assert fault(text) == "r.yaml: origin.control_port: 80 is the public port too"
    else:
        assert parse_config(text, "r.yaml").origin.port == 80


@pytest.mark.parametrize(
    ("segment", "ladder", "expected"),
    [
        (None, ENCODE, Fraction(48, 25)),
        (Fraction(2), ENCODE, 2),
        (None, PASSTHROUGH, 6),
        (Fraction(32, 15), PASSTHROUGH, Fraction(32, 15)),
    ],
)
def test_final_segment(segment: Fraction | None, ladder: Ladder, expected: Fraction) -> None:
    channel = ChannelConfig(source=FILE, ladder="x", segment=segment)
    assert final_segment(channel, ladder, "r.yaml", "channels.a") == expected


def test_the_shortest_window_and_retention() -> None:
    channel = ChannelConfig(
        source=PATTERN, ladder="x", segment=Fraction(2), window=Fraction(8), retention=Fraction(16)
    )
    assert final_segment(channel, ENCODE, "r.yaml", "channels.a") == 2


@pytest.mark.parametrize(
    ("channel", "ladder", "expected"),
    [
        (
            ChannelConfig(source=PATTERN, ladder="passthrough"),
            PASSTHROUGH,
            "ladder: 'passthrough' encodes nothing, and a test pattern has to be encoded",
        ),
        (
            ChannelConfig(source=FILE, ladder="x", segment=Fraction("1.9")),
            ENCODE,
            (
                "segment: 1.9s is not a whole number of frames at 25 frames/s"
                " (the nearest that is: 1.92s)"
            ),
        ),
        (
            ChannelConfig(source=FILE, ladder="x", segment=Fraction(21)),
            PASSTHROUGH,
            "segment: expected 0.5s to 20s, got 21s",
        ),
        (
            ChannelConfig(source=FILE, ladder="x", window=Fraction("7.67")),
            ENCODE,
            "window: 7.67s is less than 4 segments, 7.68s",
        ),
        (
            ChannelConfig(source=FILE, ladder="x", retention=Fraction(120)),
            ENCODE,
            "retention: 120s is less than the window and 4 segments, 127.68s",
        ),
    ],
)
def test_channel_and_ladder_do_not_fit(
    channel: ChannelConfig, ladder: Ladder, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        final_segment(channel, ladder, "r.yaml", "channels.a")
    assert str(caught.value) == f"r.yaml: channels.a.{expected}"


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
        assert str(error).isprintable()


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
        ("1.5T", "lots", "retention_size: not a size: 'lots' (write 500M, 20G or 1.5T)"),
        ("1.5T", "0M", "retention_size: not a size: '0M' (write 500M, 20G or 1.5T)"),
        ("fight-1", "Fight", "events.Fight"),
        ("22:30:00+01:00", "19:30:00+01:00", "events.fight-1.end: not after the start"),
        ("20:00:00Z", "20:00:00", "events.open.start: '2026-11-28T20:00:00' has no offset"),
        ("2026-11-28T20:00:00Z", "now", "events.open.start: 'now': write it as 2026-01-01T"),
        ("2026-11-28T20:00:00Z", "[a]", "events.open.start: expected a time such as 2026-01-01T"),
        ("2026-11-28T20", "9999-11-28T20", "events.fight-1.start: '9999-11-28T20:00:00+01:00': n"),
        ("2026-11-28T22:30", "2286-11-28T22:30", "events.fight-1.end: '2286-11-28T22:30:00+01:0"),
        ("pin: true", "pin: maybe", "events.fight-1.pin: "),
        ("pin: true", "pinn: true", "events.fight-1.pinn: unknown key (did you mean pin?)"),
    ],
)
def test_a_fault_of_a_schedule(good: str, bad: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(SCHEDULE.replace(good, bad), "x.yaml")
    said = str(caught.value)
    assert said.startswith(f"x.yaml: channels.arena.{reason}"), said
    assert "\n" not in said


@pytest.mark.parametrize(("bad", "got"), [("[f]", "a list of 1"), ("fight", "'fight'")])
def test_a_schedule_is_a_mapping_of_names(bad: str, got: str) -> None:
    text = f"{SCHEDULE.partition('    events:')[0]}    events: {bad}\n"
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "x.yaml")
    wanted = f"expected a mapping of at most 1000 names to events, got {got}"
    assert str(caught.value) == f"x.yaml: channels.arena.events: {wanted}"


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
            "channels.a.sources[1].port: the port of channels.a.sources[0] too",
        ),
        ("udp, port: 9000, sender: 10.0.0.1}, {type: udp, port: 9000, sender: 10.0.0.2", "", ""),
    ],
)
def test_a_port_is_wanted_once(sources: str, ingest: str, reason: str) -> None:
    text = f"""
data: d
channels:
  a: {{{_PASSED}, sources: [{{type: {sources}}}]}}
ingest: {{{ingest}}}
"""
    if not reason:
        parse_config(text, "r.yaml")
        return
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "r.yaml")
    assert str(caught.value) == f"r.yaml: {reason}"


ONE_SOURCE = "data: d\nchannels: {{a: {{ladder: passthrough, {}}}}}"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("window: 60s", "source: missing"),
        (
            "source: {type: srt, port: 9000, stream_id: x}",
            "source.stream_id: it is for who calls: url is wanted",
        ),
        (
            "sources: [{type: srt}]",
            "sources[0]: one of port, to be called at, and url, to call, is wanted",
        ),
        ("source: {type: srt, url: srt://x}", "source.url: expected srt://host:port"),
        (
            "source: {type: hls, url: http://x}, loss: {slate: x.png}",
            "loss.slate: nobody sees it without a filler",
        ),
        (
            "source: {type: cmaf, key: 0123456789abcdef}, loss: {filler: slate}",
            "loss: cmaf has none: encoders back each other up",
        ),
        (
            "source: {type: cmaf, key: a-key-of-sixteen-characters}, latency: low",
            "latency: what is pushed as cmaf comes in chunks of any length: not served in parts",
        ),
        (
            "source: {type: pattern}, latency: lowest",
            "latency: neither standard nor low, nor a duration for SRT: 'lowest'",
        ),
        (
            "sources: [{type: pattern}, {type: file, file: a.ts}]",
            "sources[1]: a file beside other sources has no end: loop: true",
        ),
        (
            "source: {type: pattern}, sources: [{type: pattern}]",
            "sources: there is a source already: put it in the list",
        ),
        (
            "source: {type: hls, url: http://x, audio: English}",
            (
                "source.audio[0]: expected a language such as eng, an index such as #0, or a PID"
                " such as 0x101, got 'English'"
            ),
        ),
    ],
)
def test_sources_that_cannot_be(said: str, expected: str) -> None:
    assert fault(ONE_SOURCE.format(said)) == f"r.yaml: channels.a.{expected}"
