"""Real feeds through real processes: the media agrees with the manifests."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import m3u8
import pytest
from lxml import etree

from packager.cmaf.init_section import read_init
from packager.cmaf.samples import SampleDefaults, SampleRun, read
from packager.cmaf.splitter import MovieFragment, Splitter
from packager.timing.smooth_time import EPOCH, TIMESCALE
from tests.paths import ROOT
from tests.support import footage
from tests.support.dash_schema import DASH_CHECKS
from tests.support.programs import complaints_about, gstreamer_pictures, reads
from tests.support.service import Service, fetch, service, wait_until

pytestmark = pytest.mark.e2e

NAMES = ("harbour", "train", "pattern", "both")
DURATION = Fraction(48, 25)


def channels() -> str:
    """The configuration of the channels."""
    feed = "{{type: file, file: {}, loop: true}}"
    both = f"[{footage.train()}, {footage.harbour()}]"
    sources = {
        "harbour": feed.format(footage.harbour()),
        "train": feed.format(footage.train()),
        "pattern": "{type: pattern}",
        "both": feed.format(both),
    }
    return "\n".join(
        f"  {name}: {{source: {source}, ladder: {ROOT}/tests/support/small.yaml, window: 30s}}"
        for name, source in sources.items()
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("channels"), channels()) as started:
        for name in NAMES:
            started.wait_for_segments(name, 6)
        yield started


def run_of(segment: bytes) -> list[SampleRun]:
    events = Splitter().feed(segment)
    return [
        read(event, SampleDefaults(0, 0, 0)) for event in events if isinstance(event, MovieFragment)
    ]


@pytest.mark.parametrize("channel", NAMES)
def test_every_segment_of_the_playlist_is_at_its_url_and_time(
    running: Service, channel: str
) -> None:
    base = running.live(channel)
    top = m3u8.loads(fetch(f"{base}/index.m3u8").text)
    assert len(top.playlists) == 2
    names = [playlist.uri for playlist in top.playlists] + [media.uri for media in top.media]
    starts: list[list[Fraction]] = []
    for name in names:
        folder = f"{base}/{name.removesuffix('/index.m3u8')}"
        playlist = m3u8.loads(fetch(f"{base}/{name}").text)
        facts = read_init(fetch(f"{folder}/{playlist.segment_map[0].uri}").body)
        times: list[Fraction] = []
        for index, listed in enumerate(playlist.segments[:4]):
            number = playlist.media_sequence + index
            assert listed.uri == f"{number}.m4s"
            runs = run_of(fetch(f"{folder}/{listed.uri}").body)
            times.append(Fraction(runs[0].start, facts.timescale))
            length = Fraction(sum(run.duration for run in runs), facts.timescale)
            assert abs(length - Fraction(str(listed.duration))) < Fraction(1, 1000)
            assert abs(times[-1] - number * DURATION) < Fraction(512, 48000)
            assert runs[0].keyframe
            assert runs[0].compositions[0] == 0
            assert listed.current_program_date_time is not None
            said = Fraction(str(listed.current_program_date_time.timestamp()))
            assert abs(said - times[-1]) < Fraction(2, 1000)
        starts.append(times)
    assert all(
        abs(a - b) < Fraction(512, 48000)
        for s in starts
        for a, b in zip(s, starts[0], strict=False)
    )


@pytest.mark.parametrize("channel", NAMES)
def test_the_mpd_is_valid_and_its_media_exists(running: Service, channel: str) -> None:
    base = running.live(channel)
    mpd = etree.fromstring(fetch(f"{base}/index.mpd").body)
    for check in DASH_CHECKS:
        check(mpd)
    space = {"d": "urn:mpeg:dash:schema:mpd:2011"}
    assert len(mpd.findall("d:Period", space)) == 1
    for representation in mpd.iterfind(".//d:Representation", space):
        template = representation.find("d:SegmentTemplate", space)
        assert template is not None
        track, number = representation.get("id"), int(template.get("startNumber", ""))
        lines = template.findall("d:SegmentTimeline/d:S", space)
        assert len(lines) == 1, "a regular feed is one line a track"
        count = 1 + int(lines[0].get("r", "0"))
        assert int(lines[0].get("d", "")) == DURATION * int(template.get("timescale", ""))
        assert fetch(f"{base}/{track}/{number + count - 1}.m4s", "HEAD").status == 200
        runs = run_of(fetch(f"{base}/{track}/{number}.m4s").body)
        assert runs[0].start == int(lines[0].get("t", ""))
    clock = mpd.find("d:UTCTiming", space)
    assert clock is not None
    told = fetch(f"{base}/{clock.get('value')}")
    assert (told.status, told.headers["Cache-Control"]) == (200, "no-store")


@pytest.mark.parametrize("channel", NAMES)
def test_smooth_fragments_chain_by_their_look_ahead(running: Service, channel: str) -> None:
    base = f"{running.live(channel)}/index.ism"
    manifest = etree.fromstring(fetch(f"{base}/Manifest").body)
    for stream in manifest.iterfind("StreamIndex"):
        kind = stream.get("Type", "")
        time = int(stream[len(stream.findall("QualityLevel"))].get("t", ""))
        assert abs(Fraction(time, TIMESCALE) + EPOCH) % DURATION < Fraction(512, 48000)
        for level in stream.iterfind("QualityLevel"):
            at = time
            for _ in range(int(stream.get("Chunks", ""))):
                got = fetch(f"{base}/QualityLevels({level.get('Bitrate')})/Fragments({kind}={at})")
                assert got.status == 200
                assert got.headers["Content-Type"] == f"{kind}/mp4"
                assert b"tfdt" not in got.body
                place = got.body.index(bytes.fromhex("D4807EF2CA3946958E5426CB9E46A79F")) + 16
                assert got.body[place : place + 5] == bytes([1, 0, 0, 0, 1])
                at = int.from_bytes(got.body[place + 5 : place + 13])


@pytest.mark.parametrize("channel", ["harbour", "train", "both"])
@pytest.mark.parametrize("manifest", ["index.m3u8", "index.mpd"])
def test_ffmpeg_reads_it(running: Service, channel: str, manifest: str) -> None:
    assert reads(f"{running.live(channel)}/{manifest}", 6 * 25)


@pytest.mark.parametrize("channel", NAMES)
def test_ffmpeg_decodes_every_segment_without_a_complaint(
    running: Service, channel: str, tmp_path: Path
) -> None:
    base = running.live(channel)
    top = m3u8.loads(fetch(f"{base}/index.m3u8").text)
    for name in [p.uri for p in top.playlists] + [media.uri for media in top.media]:
        folder = f"{base}/{name.removesuffix('/index.m3u8')}"
        playlist = m3u8.loads(fetch(f"{base}/{name}").text)
        names = [playlist.segment_map[0].uri, *(s.uri for s in playlist.segments)]
        file = tmp_path / "track.mp4"
        file.write_bytes(b"".join(fetch(f"{folder}/{n}").body for n in names))
        assert complaints_about(file) == ""


# GStreamer 1.22 does not play a live MPD whose times count from 1970. Only its newer demuxers show
# fragmented MP4 of HLS on time; see docs/decisions/0010-gstreamer.md.
@pytest.mark.parametrize(
    ("element", "manifest"),
    [("uridecodebin3", "index.m3u8"), ("uridecodebin", "index.ism/Manifest")],
)
def test_gstreamer_plays_it(running: Service, element: str, manifest: str) -> None:
    pictures = gstreamer_pictures(element, f"{running.live('train')}/{manifest}", wanted=50)
    assert pictures >= 50


def test_status_metrics_and_page(running: Service) -> None:
    channels = wait_until(
        lambda: fetch(f"{running.control}/api/status").text.count('"state":"live"') == len(NAMES),
        "all channels live",
    )
    assert channels
    metrics = fetch(f"{running.control}/metrics").text
    for name in (
        'ringside_live_edge_age_seconds{channel="train"}',
        'ringside_chunks_total{channel="train",track="audio"}',
        'ringside_requests_total{channel="train",kind="dash",status="200"}',
        'ringside_ffmpeg_speed_ratio{channel="train"}',
    ):
        assert name in metrics
    page = fetch(f"{running.control}/")
    assert page.status == 200
    assert "Content-Security-Policy" in page.headers
    assert fetch(f"{running.control}/players/hls.js", "HEAD").status == 200
    assert fetch(f"{running.control}/players/../app.py").status == 404


def test_no_channel_or_process_failed(running: Service) -> None:
    assert running.events("channel.failed") == []
    assert running.events("channel.crashed") == []
    assert running.events("process.died") == []
    assert "Traceback" not in running.log


def test_data_folder_holds_nothing_else(running: Service) -> None:
    folder = Path(running.folder) / "data" / "train"
    names = {path.name.split("-")[0].split(".")[-1] for path in folder.rglob("*") if path.is_file()}
    assert names <= {"journal", "reserve", "json", "init", "m4s"}
