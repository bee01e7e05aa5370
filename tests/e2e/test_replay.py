"""Replays on a virtual clock: the same bytes every time, and the manifests as they were agreed."""

import json
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from hashlib import blake2b
from pathlib import Path

import pytest
from msgspec.structs import replace

from origin.decision.channel_state import ChannelSnapshot
from origin.decision.decide import decide
from origin.decision.plan import ServeManifest
from origin.http.render import render
from origin.urls.request import Manifest, ManifestKind
from packager.journal.format import JournalReader
from packager.manifest.incremental import ListCaches
from packager.timeline.apply import fold
from packager.timeline.model import Timeline
from packager.timing.ticks import parse_iso8601
from tests.paths import EXTRA_FEEDS, ROOT
from tests.support import footage, material, programs
from tests.support.replays import FEED_OF, START, replay

pytestmark = pytest.mark.e2e

CAMERA_FEEDS: list[footage.Feed] = [
    *(partial(Path, path) for path in FEED_OF.values()),
    *(footage.train, footage.harbour),
    *(partial(Path, path) for path in EXTRA_FEEDS if path.stat().st_size > 10**6),
]


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def timeline_of(journal: bytes) -> Timeline:
    reader = JournalReader()
    timeline = fold(reader.feed(journal))
    assert not reader.damaged
    return timeline


def smooth(timeline: Timeline) -> bytes:
    """The Smooth manifest of a replay: it is made by the origin, on request."""
    view = ChannelSnapshot(timeline, window=timeline.grid.duration * 1000, retention=Fraction(3600))
    request = Manifest(timeline.channel, ManifestKind.SMOOTH)
    plan = decide(request, view, parse_iso8601(START))
    assert isinstance(plan, ServeManifest)
    return render(plan, ListCaches()).plain()


@pytest.fixture(scope="module", params=sorted(FEED_OF))
def replayed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return replay(tmp_path_factory.mktemp("replay"), request.param)


def test_replayed_files_equal_the_golden_ones(
    replayed: Path, golden: Callable[[str, bytes], None]
) -> None:
    found = files(replayed)
    for name, data in found.items():
        if name.endswith((".m3u8", ".mpd", "journal")):
            golden(f"replay/{replayed.name}/{name}", data)
    golden(f"replay/{replayed.name}/Manifest.ismc", smooth(timeline_of(found["journal"])))
    digests = {
        name: blake2b(data, digest_size=8).hexdigest()
        for name, data in found.items()
        if name.endswith((".m4s", ".mp4"))
    }
    golden(f"replay/{replayed.name}/media.json", json.dumps(digests, indent=1).encode() + b"\n")


def test_live_manifests_of_a_replay_equal_the_golden_ones(
    replayed: Path, golden: Callable[[str, bytes], None]
) -> None:
    timeline = replace(timeline_of((replayed / "journal").read_bytes()), ended=False)
    view = ChannelSnapshot(timeline, window=timeline.grid.duration * 3, retention=Fraction(3600))
    now = timeline.grid.micros(timeline.edge + 1)
    tracks = ("", "", "", *timeline.tracks)
    kinds = (ManifestKind.DASH, ManifestKind.SMOOTH, ManifestKind.HLS_MULTIVARIANT)
    names = ("index.mpd", "Manifest.ismc", "index.m3u8", *(f"{t}.m3u8" for t in timeline.tracks))
    for name, kind, track in zip(
        names, (*kinds, *[ManifestKind.HLS_MEDIA] * len(timeline.tracks)), tracks, strict=True
    ):
        plan = decide(Manifest(timeline.channel, kind, track), view, now)
        assert isinstance(plan, ServeManifest)
        golden(f"replay/{replayed.name}/live/{name}", render(plan, ListCaches()).plain())


@pytest.mark.extended
@pytest.mark.parametrize("ladder", ["passthrough", f"{ROOT}/tests/support/small.yaml"])
def test_the_same_bytes_every_time(tmp_path: Path, ladder: str) -> None:
    first, second = (
        files(replay(tmp_path / name, "train", "--ladder", ladder)) for name in ("a", "b")
    )
    assert list(first) == list(second)
    assert [name for name in first if first[name] != second[name]] == []


def test_start_is_moved_to_the_grid_and_the_same_instant_has_the_same_number(
    tmp_path: Path,
) -> None:
    timeline = timeline_of((replay(tmp_path, "train") / "journal").read_bytes())
    assert timeline.period is not None
    number = timeline.grid.number_at_micros(parse_iso8601(START))
    assert timeline.period.number == number
    assert timeline.period.anchor.utc == timeline.grid.micros(number)


@pytest.mark.extended
@pytest.mark.parametrize("feed", CAMERA_FEEDS)
def test_the_oldest_ffmpeg_cuts_the_same_segments(feed: footage.Feed, tmp_path: Path) -> None:
    """Debian 12's is 5.1; its init sections differ, and so the names of theirs."""
    programs = ((), ("--ffmpeg", "/usr/bin/ffmpeg"))
    folders = [
        replay(tmp_path / str(number), "camera", *options, feed=feed())
        for number, options in enumerate(programs)
    ]
    for playlist in ("v0/index.m3u8", "a0/index.m3u8"):
        one, two = (
            [line for line in (folder / playlist).read_text().splitlines() if "MAP" not in line]
            for folder in folders
        )
        assert one == two


@pytest.mark.extended
def test_a_picture_whose_pixels_are_not_square_is_shown_as_it_was_meant(tmp_path: Path) -> None:
    feed = material.anamorphic(tmp_path / "white.mp4")
    ladder = f"{ROOT}/tests/support/small.yaml"
    folder = replay(tmp_path / "out", "wide", "--ladder", ladder, feed=feed)
    first = min((folder / "270p").glob("*.m4s"))
    (init,) = (folder / "270p").glob("init-*.mp4")
    joined = material.joined(tmp_path / "joined.mp4", init, first)
    row = programs.picture_of(joined)[:480]
    assert min(row) > 200, "white from edge to edge"
    assert 'sar="1:1"' in (folder / "index.mpd").read_text()
    copied = replay(tmp_path / "copied", "wide", "--ladder", "passthrough", feed=feed)
    assert 'sar="4:3"' in (copied / "index.mpd").read_text()


@pytest.mark.extended
def test_an_impossible_replay_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "noise.ts").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "there" / "x").mkdir(parents=True)
    feed = str(FEED_OF["train"])
    for arguments, said in (
        ([str(tmp_path / "none.ts")], "none.ts: no such file"),
        ([feed, "--channel", "UPPER"], "--channel UPPER: at most 32 of a-z"),
        ([feed, "--start", "yesterday"], "--start yesterday: "),
        ([feed, "--start", "9999-12-31T23:59:59Z"], "not between the years 1970 and 2100"),
        ([feed, "--start", "1969-12-31T23:59:59Z"], "not between the years 1970 and 2100"),
        ([feed, "--ladder", "nosuch"], "no ladder 'nosuch'"),
        ([feed, "--out", str(tmp_path / "there")], "exists: remove it, or name another folder"),
        ([str(tmp_path / "noise.ts")], "noise.ts: no media"),
    ):
        command = [sys.executable, "-m", "packager", "replay", "--channel", "x", "--start", START]
        done = subprocess.run(
            [*command, "--out", str(tmp_path / "out"), *arguments],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode in (1, 2)
        assert said in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert not (tmp_path / "out" / "x").exists()
    assert (tmp_path / "there" / "x").exists()
