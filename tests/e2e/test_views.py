"""Start-over, catch-up and events of a running channel, in all three formats."""

import re
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from urllib.parse import urljoin

import m3u8
import pytest
from lxml import etree

from packager.timing.ticks import MICROS, UtcMicros, iso8601, parse_iso8601
from tests.paths import ROOT
from tests.support import programs
from tests.support.file_server import file_server
from tests.support.service import Answer, Service, fetch, service, wait_until

pytestmark = pytest.mark.e2e

CHANNELS = f"""
  bars:
    source: {{type: pattern, width: 320, height: 180}}
    ladder: {ROOT}/tests/support/small.yaml
    events:
      past: {{start: 2001-01-01T00:00:00Z, end: 2001-01-01T01:00:00Z, pin: true}}
      all: {{start: 2001-01-01T00:00:00Z}}
      future: {{start: 2099-01-01T00:00:00+01:00, end: 2099-01-02T00:00:00Z}}
"""
TRACK = "270p"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("views"), CHANNELS) as started:
        started.wait_for_segments("bars", 5)
        yield started


def ringside(running: Service, *words: str) -> "subprocess.CompletedProcess[str]":
    order, *rest = words
    config = str(running.folder / "ringside.yaml")
    return subprocess.run(
        [sys.executable, "-m", "packager", "event", order, "-c", config, *rest],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def playlist(running: Service, view: str) -> m3u8.M3U8:
    url = f"{running.live('bars')}/{view}{TRACK}/index.m3u8"
    answer = fetch(url)
    assert answer.status == 200, answer.text
    return m3u8.loads(answer.text, uri=url)


def first_of(running: Service) -> int:
    """The first segment of all."""
    return int(playlist(running, "event/all/").media_sequence)


def start_of(number: int) -> str:
    """In Unix seconds, to the millisecond above."""
    milliseconds = -(-number * 1920 // 1)
    return f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".")


def test_a_start_over_playlist_is_an_event_that_grows(running: Service) -> None:
    first = first_of(running)
    view = f"from/{start_of(first + 1)}/"
    before = playlist(running, view)
    assert (before.media_sequence, before.playlist_type, before.is_endlist) == (
        first + 1, "event", False,
    )  # fmt: skip
    wait_until(lambda: len(playlist(running, view).segments) > len(before.segments), "growth")
    after = playlist(running, view)
    assert [s.uri for s in after.segments][: len(before.segments)] == [
        s.uri for s in before.segments
    ]


def test_media_is_that_of_the_live_channel(running: Service) -> None:
    found = playlist(running, "event/all/")
    folder = f"{running.live('bars')}/{TRACK}"
    for segment in found.segments:
        assert re.fullmatch(re.escape(folder) + r"/\d+\.m4s", segment.absolute_uri)
        assert fetch(segment.absolute_uri, "HEAD").status == 200
    assert fetch(found.segment_map[0].absolute_uri).status == 200
    main = fetch(f"{running.live('bars')}/event/all/index.m3u8")
    assert [v.uri for v in m3u8.loads(main.text).playlists] == [
        f"{TRACK}/index.m3u8",
        "144p/index.m3u8",
    ]


def test_a_catch_up_is_complete_in_every_format(running: Service) -> None:
    first = first_of(running)
    view = f"from/{start_of(first)}/to/{start_of(first + 3)}/"
    wait_until(lambda: playlist(running, view).is_endlist, "the end of the stretch")
    found = playlist(running, view)
    assert [int(Path(s.uri).stem) for s in found.segments] == [first, first + 1, first + 2]
    base = f"{running.live('bars')}/{view}"
    answer = fetch(f"{base}index.mpd")
    # No longer than what it names is kept: ten minutes.
    assert 300 < int(answer.headers["Cache-Control"].removeprefix("public, max-age=")) < 600
    mpd = etree.fromstring(answer.body)
    assert mpd.get("type") == "static"
    for media in mpd.iter("{*}SegmentTemplate"):
        place = urljoin(f"{base}index.mpd", media.get("media"))
        assert place == f"{running.live('bars')}/$RepresentationID$/$Number$.m4s"
        runs = [(int(s.get("d")), int(s.get("r", "0"))) for s in media.iter("{*}S")]
        total = sum(d * (r + 1) for d, r in runs)
        assert abs(total / int(media.get("timescale")) - 3 * 1.92) < 0.03
    url = f"{base}index.ism/Manifest"
    smooth = etree.fromstring(fetch(url).body)
    assert smooth.get("IsLive") is None
    assert abs(int(smooth.get("Duration")) - 3 * 19_200_000) < 300_000
    for stream in smooth.iter("StreamIndex"):
        assert stream.get("Chunks") == "3"
        time, place = stream.find("c").get("t"), stream.get("Url")
        for level in stream.iter("QualityLevel"):
            name = place.replace("{bitrate}", level.get("Bitrate")).replace("{start time}", time)
            assert fetch(urljoin(url, name)).status == 200, name


def test_start_and_end_lead_to_the_view(running: Service) -> None:
    first = first_of(running)
    start = first * Fraction(48, 25)
    for query, view in (
        (f"start={float(start + Fraction(1, 2)):.3f}", f"from/{start_of(first)}"),
        (f"start={float(start + Fraction(19, 10)):.3f}", f"from/{start_of(first)}"),
        (
            f"start={start_of(first)}&end={float(start + 2):.3f}",
            f"from/{start_of(first)}/to/{start_of(first + 2)}",
        ),
    ):
        for file in ("index.m3u8", f"{TRACK}/index.m3u8", "index.mpd", "index.ism/Manifest"):
            answer = without_following(f"{running.live('bars')}/{file}?{query}")
            assert answer.status == 302
            assert answer.headers["Location"] == f"/live/bars/{view}/{file}"
            assert answer.headers["Cache-Control"] == "public, max-age=60"
            assert fetch(f"{running.base}{answer.headers['Location']}").status == 200


def without_following(url: str) -> Answer:
    command = ["curl", "-si", url]
    head, _, body = subprocess.run(
        command, capture_output=True, timeout=20, check=True
    ).stdout.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return Answer(int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body)


def test_an_unavailable_view_gives_its_reason(running: Service) -> None:
    for view, status, reason in (
        ("event/past/", 404, "the view left the retention"),
        ("event/future/", 404, "the view has not begun yet"),
        ("event/none/", 404, "no such event"),
        ("from/1/to/2/", 404, "left the retention|nothing was recorded then"),
        ("from/4000000000/", 404, "the view has not begun yet"),
        ("from/01/", 400, "not a view"),
    ):
        answer = fetch(f"{running.live('bars')}/{view}index.mpd")
        assert answer.status == status, (view, answer.text)
        assert re.search(reason, answer.text) or view == "event/past/"
        assert "max-age" in answer.headers["Cache-Control"]


def test_an_event_from_its_beginning_to_its_end(running: Service) -> None:
    view = "event/fight/"
    assert fetch(f"{running.live('bars')}/{view}index.mpd").status == 404
    done = ringside(running, "start", "bars", "fight", "--pin")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"fight: \S+Z to \.\.\., pinned\n", done.stdout)
    wait_until(lambda: fetch(f"{running.live('bars')}/{view}index.m3u8").status == 200, "the event")
    wait_until(lambda: len(playlist(running, view).segments) > 1, "its first segments")
    assert not playlist(running, view).is_endlist
    done = ringside(running, "end", "bars", "fight")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: playlist(running, view).is_endlist, "its end")
    listed = ringside(running, "list", "bars").stdout.splitlines()
    assert [line.partition(":")[0] for line in listed] == ["all", "past", "fight", "future"]
    (line,) = (line for line in listed if line.startswith("fight"))
    start, end = (parse_iso8601(t.strip(",")) for t in re.findall(r"\S+Z", line))
    found = playlist(running, view)
    covered = [int(Path(s.uri).stem) for s in found.segments]
    assert covered[0] == start * 100 // (192 * MICROS)
    assert covered[-1] * 1.92 <= end / MICROS <= covered[-1] * 1.92 + 1.93
    assert ringside(running, "remove", "bars", "fight").returncode == 0
    wait_until(lambda: fetch(f"{running.live('bars')}/{view}index.mpd").status == 404, "no event")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("start", "bars", "UPPER"), "an event's name is at most 32|a channel's or event's name"),
        (("start", "none", "x"), "channel is not running"),
        (("list", "none"), "no such channel"),
        (("start", "bars", "x", "--at", "yesterday"), "yesterday"),
        (("end", "bars", "all", "--at", "2000-01-01T00:00:00Z"), "which is not after"),
        (("start", "bars", "ü"), "an event's name is at most 32 .* got 'ü'"),
        (("start", "bars", "\udcff"), "an event's name is at most 32 .* got "),
        (("start", "bars", "a b"), "an event's name is at most 32 .* got 'a b'"),
        (("remove", "bars", "a/b"), "an event's name is at most 32 .* got 'a/b'"),
        (("end", "bars", ""), "an event's name is at most 32 .* got ''"),
        (("end", "a/b", "x"), "a channel's name is at most 32 .* got 'a/b'"),
        (("list", "../x"), "a channel's name is at most 32 .* got '../x'"),
        (("start", "bars", "x", "--at", ""), "--at '': write it as 2026-01-01T00:00:00Z"),
        (("start", "bars", "x", "--end", "\udcff"), "--end '.*': write it as 2026"),
        (("start", "bars", "x", "--at", "1969-12-31T23:00:00Z"), "not between the years 1970"),
        (("start", "bars", "x", "--end", "9999-12-31T00:00:00Z"), "not between the years 1970"),
    ],
)
def test_an_order_that_cannot_be_is_one_line(
    running: Service, words: tuple[str, ...], reason: str
) -> None:
    done = ringside(running, *words)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert re.search(reason, done.stderr), done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("order", ["end", "remove"])
def test_an_unknown_event_cannot_end(running: Service, order: str) -> None:
    done = ringside(running, order, "bars", "nothing")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "ringside: no such event\n")
    assert "nothing" not in ringside(running, "list", "bars").stdout


def test_an_event_is_pinned_and_unpinned_later(running: Service) -> None:
    begun = ringside(running, "start", "bars", "late", "--at", "2020-01-01T00:00:00Z").stdout
    assert begun == "late: 2020-01-01T00:00:00.000Z to ...\n"
    for words, after in (
        (["--pin"], "late: 2020-01-01T00:00:00.000Z to ..., pinned\n"),
        ([], "late: 2020-01-01T00:00:00.000Z to ..., pinned\n"),
        (["--no-pin"], begun),
    ):
        assert ringside(running, "start", "bars", "late", *words).stdout == after
    assert ringside(running, "start", "bars", "late", "--at", "now").stdout != begun
    assert ringside(running, "remove", "bars", "late").returncode == 0


def test_a_proxy_of_the_environment_is_for_the_world(
    running: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert ringside(running, "list", "bars").returncode == 0


@pytest.mark.extended
def test_events_outlive_everything(running: Service) -> None:
    assert ringside(running, "start", "bars", "kept").returncode == 0
    before = ringside(running, "list", "bars").stdout
    running.kill("packager", "origin")

    def listed() -> bool:
        return ringside(running, "list", "bars").stdout == before

    wait_until(listed, "the events again")
    wait_until(lambda: fetch(f"{running.live('bars')}/event/kept/index.mpd").status == 200, "it")


# Harvest.


def harvest(running: Service, *words: str) -> "subprocess.CompletedProcess[str]":
    config = str(running.folder / "ringside.yaml")
    return subprocess.run(
        [sys.executable, "-m", "packager", "harvest", "-c", config, *words],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.extended
def test_a_harvest_is_all_that_a_file_server_needs(running: Service, tmp_path: Path) -> None:
    first = first_of(running)
    start, end = (iso8601(UtcMicros(n * 1_920_000)) for n in (first, first + 3))
    ringside(running, "start", "bars", "reaped", "--at", start, "--end", end)
    wait_until(lambda: playlist(running, "event/reaped/").is_endlist, "the end of the event")
    out = tmp_path / "a folder" / "reaped"
    done = harvest(running, "reaped", "--out", str(out), "--mp4")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"harvested to {out}\n"
    found = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert [name for name in found if "/" not in name] == ["index.m3u8", "index.mpd", "reaped.mp4"]
    assert [name for name in found if name.startswith(f"{TRACK}/9")] == [
        f"{TRACK}/{number}.m4s" for number in range(first, first + 3)
    ]
    frames = round(3 * 1.92 * 25)
    with file_server(out) as url:
        for file in ("index.m3u8", "index.mpd"):
            assert programs.frames_of(f"{url}/{file}", 60) == frames, file
    assert programs.frames_of(str(out / "reaped.mp4"), 60) == frames
    assert programs.complaints_about(out / "reaped.mp4") == ""
    assert not out.with_name("reaped.partial").exists()


@pytest.mark.extended
def test_a_partial_harvest_is_reported(running: Service, tmp_path: Path) -> None:
    begins = iso8601(UtcMicros(first_of(running) * 1_920_000))
    end = iso8601(UtcMicros((first_of(running) + 2) * 1_920_000))
    ringside(running, "start", "bars", "early", "--at", "2001-01-01T00:00:00Z", "--end", end)
    wait_until(lambda: playlist(running, "event/early/").is_endlist, "the end of the event")
    done = harvest(running, "early", "--out", str(tmp_path / "early"))
    assert (done.returncode, done.stdout) == (0, f"harvested to {tmp_path / 'early'}\n")
    (said,) = (line for line in done.stderr.splitlines() if line.startswith("ringside: "))
    assert said == (
        f"ringside: the event early lasts from 2001-01-01T00:00:00.000Z to {end}; "
        f"only {begins} to {end} was available and is harvested"
    )


@pytest.mark.extended
def test_an_impossible_harvest_is_reported_in_one_line(running: Service, tmp_path: Path) -> None:
    for words, reason in (
        (["none", "--out", str(tmp_path / "x")], "no event none in bars"),
        (["all", "--out", str(tmp_path / "x")], "the event all is not over"),
        (["past", "--out", str(tmp_path / "x")], "the retention has deleted the whole event past"),
        (["future", "--out", str(tmp_path / "x")], "the event future is not over yet"),
        (
            ["past", "--out", str(tmp_path)],
            "deleted the whole event past|a harvest starts with nothing",
        ),
        (["past", "--channel", "no", "--out", str(tmp_path / "x")], "--channel 'no': no such"),
    ):
        done = harvest(running, *words)
        assert done.returncode == 2
        assert re.search(reason, done.stderr), done.stderr
        assert not (tmp_path / "x").exists()
