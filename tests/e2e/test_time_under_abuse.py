"""Feeds whose timestamps are wrong, through real processes: what docs/timeline.md says of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import m3u8
import pytest

from packager.smooth_clock import TIMESCALE
from tests import said
from tests.paths import ROOT
from tests.support import flashes, material, programs
from tests.support.service import Service, fetch, service, wait_until

pytestmark = pytest.mark.e2e

TINY = f"{ROOT}/tests/support/tiny.yaml"
D = Fraction(48, 25)
SKEW = Fraction(25, 1000)
WRAP = 2**33 / 90_000
TRACKS = ("90p", "72p", "audio")
AT = 6
"""Seconds after which the timestamps jump."""


def jump(folder: Path, name: str, to: float) -> Path:
    """Six seconds whose timestamps begin at 100 s, and six from `to` on."""
    first = material.flashing(folder / f"{name}-1.ts", seconds=AT, starts=100)
    second = material.flashing(folder / f"{name}-2.ts", seconds=AT, starts=to)
    return material.joined(folder / f"{name}.ts", first, second)


JUMPS = ("wrap", "forward-ms", "back-ms", "forward-s", "back-s", "forward-h", "back-h")
ENDING = (*JUMPS, "picture-first", "sound-first", "silent")
"""Played once."""


def made(folder: Path) -> dict[str, Path]:
    flashing = material.flashing
    return {
        "wrap": flashing(folder / "wrap.ts", seconds=12, starts=WRAP - AT),
        "forward-ms": jump(folder, "forward-ms", 106.04),
        "back-ms": jump(folder, "back-ms", 105.96),
        "forward-s": jump(folder, "forward-s", 109),
        "back-s": jump(folder, "back-s", 103),
        "forward-h": jump(folder, "forward-h", 3706),
        "back-h": jump(folder, "back-h", 20),
        "picture-first": flashing(folder / "pf.ts", seconds=14, starts=9, sound_late=2),
        "sound-first": flashing(folder / "sf.ts", seconds=14, starts=9, picture_late=2),
        "silent": flashing(folder / "silent.ts", seconds=16, starts=9, silent=(5, 10)),
    }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("abuse")
    feeds = made(folder)
    channels = [
        f"  {name}: {{source: {{type: file, file: {feed}}}, ladder: {TINY}}}"
        for name, feed in feeds.items()
    ]
    round_and_round = f"{{type: file, file: {feeds['back-h']}, loop: true}}"
    channels.append(f"  round: {{source: {round_and_round}, ladder: {TINY}}}")
    with service(folder, "\n".join(channels)) as started:
        yield started


@dataclass
class Seen:
    """The start-over view of all that a channel has."""

    view: str
    hls: dict[str, said.Playlist]
    dash: list[said.Period]
    smooth: dict[str, list[said.Fragment]]
    flashes: list[Fraction]
    beeps: list[Fraction]

    @property
    def newest(self) -> list[said.Piece]:
        """The pictures of the newest period."""
        lead = self.hls[TRACKS[0]]
        return [piece for piece in lead.media if piece.number >= max([0, *lead.breaks])]


def see(running: Service, channel: str) -> Seen:
    base = running.live(channel)
    live = m3u8.loads(fetch(f"{base}/{TRACKS[0]}/index.m3u8").text)
    start = float(live.media_sequence * D)
    view = f"{base}/from/{start:.3f}".rstrip("0").rstrip(".")
    texts = {name: fetch(f"{view}/{name}/index.m3u8").text for name in TRACKS}
    found = {name: said.hls(text) for name, text in texts.items()}
    onsets = []
    for name, listed in found.items():
        (init,) = {s.init_section.uri for s in m3u8.loads(texts[name]).segments if s.init_section}
        head = fetch(f"{base}/{name}/{init.rpartition('/')[2]}").body
        media = [fetch(f"{base}/{name}/{piece.number}.m4s").body for piece in listed.media]
        onsets.append((flashes.of_sound if name == "audio" else flashes.of_picture)(head, media))
    assert onsets[0] == onsets[1], "renditions are not alike"
    dash = said.dash(fetch(f"{view}/index.mpd").body)
    smooth = said.smooth(fetch(f"{view}/index.ism/Manifest").body)
    return Seen(view, found, dash, smooth, onsets[0], onsets[2])


@pytest.fixture(scope="module")
def seen(running: Service) -> dict[str, Seen]:
    running.wait_for_segments("round", 10)
    for channel in ENDING:
        wait_until(
            lambda name=channel: running.status(name)["state"] == "ended",  # type: ignore[misc]
            f"the end of {channel}",
            60,
        )
    return {channel: see(running, channel) for channel in (*ENDING, "round")}


LASTS = {
    "wrap": 12,
    "forward-ms": Fraction("12.04"),
    "back-ms": Fraction("11.96"),
    "forward-s": 15,
    "back-s": 15,
    "forward-h": 12,
    "back-h": 12,
}
"""Seconds that a picture is shown for, also a still one."""


@pytest.mark.parametrize("channel", [*ENDING, "round"])
def test_formats_say_the_same(seen: dict[str, Seen], channel: str) -> None:
    found = seen[channel]
    for name, playlist in found.hls.items():
        first, last = playlist.pieces[0].number, playlist.pieces[-1].number
        assert [piece.number for piece in playlist.pieces] == list(range(first, last + 1))
        pieces = [piece for period in found.dash for piece in period.tracks.get(name, [])]
        near = zip(playlist.media, pieces, strict=channel != "round")
        for one, two in near:
            assert one.number == two.number
            assert abs(one.start - two.start) < Fraction(1, 1000)
            assert abs(one.duration - two.duration) < Fraction(1, 1000)
        stream = name if name == "audio" else "video"
        for fragment, piece in zip(found.smooth[stream], pieces, strict=False):
            assert abs(fragment.start - piece.start) <= Fraction(1, TIMESCALE)
    assert {tuple(playlist.breaks) for playlist in found.hls.values()} == {
        tuple(found.hls[TRACKS[0]].breaks)
    }


@pytest.mark.parametrize("channel", [*ENDING, "round"])
def test_sound_and_picture_stay_in_step(seen: dict[str, Seen], channel: str) -> None:
    apart = flashes.apart(seen[channel].flashes, seen[channel].beeps)
    assert len(apart) >= 5
    assert max(map(abs, apart)) < SKEW


@pytest.mark.parametrize("channel", [*LASTS, "sound-first", "round"])
def test_the_picture_has_no_hole(seen: dict[str, Seen], channel: str) -> None:
    found = seen[channel]
    # An encoder that has to wait for others at its start may begin with a hole.
    begun = found.newest[0].number
    assert begun <= found.hls[TRACKS[0]].media[0].number + 2
    for name in TRACKS[:2]:
        assert [number for number in found.hls[name].missing if number > begun] == []
    for piece in found.newest:
        assert piece.start == piece.number * D
    for piece in found.newest[:-1]:
        assert piece.duration == D


@pytest.mark.parametrize("channel", LASTS)
def test_what_lies_between_the_timestamps_is_shown_or_cut(
    seen: dict[str, Seen], channel: str
) -> None:
    """A still picture and silence for up to ten seconds; what is more, or goes back, is cut."""
    found = seen[channel]
    lead = found.hls[TRACKS[0]]
    length = sum(piece.duration for piece in lead.media)
    hole = found.newest[0].start - lead.media[0].start
    assert LASTS[channel] - Fraction(1, 10) - hole <= length <= LASTS[channel] + Fraction(1, 10)


@pytest.mark.parametrize("channel", ["wrap", "back-h"])
def test_ffmpeg_plays_all_of_it(seen: dict[str, Seen], channel: str) -> None:
    found = seen[channel]
    pictures = round(sum(piece.duration for piece in found.hls[TRACKS[0]].media) * 25)
    played = programs.frames_of(f"{found.view}/index.m3u8", 60)
    assert pictures - 1 <= played <= 2 * pictures
    assert found.hls[TRACKS[0]].ended


def test_sound_that_begins_first_is_left_out(seen: dict[str, Seen]) -> None:
    found = seen["sound-first"]
    begun = found.newest[0]
    first = next(p for p in found.hls["audio"].media if p.number == begun.number)
    assert abs(first.start - begun.start) < SKEW


def test_sound_that_begins_later_is_missing_until_then(seen: dict[str, Seen]) -> None:
    found = seen["picture-first"]
    picture, sound = found.hls[TRACKS[0]].media[0], found.hls["audio"].media[0]
    assert sound.start - picture.start > Fraction(19, 10)
    assert found.hls["audio"].missing[0] == picture.number


def test_missing_sound_leaves_the_picture_alone(seen: dict[str, Seen]) -> None:
    found = seen["silent"]
    for name in TRACKS[:2]:
        assert len(found.hls[name].missing) <= 2
    silence = max(b - a for a, b in zip(found.beeps, found.beeps[1:], strict=False))
    assert Fraction(59, 10) < silence < Fraction(91, 10)
    assert found.beeps[-1] > found.hls["audio"].media[-1].start


def test_nothing_crashed(running: Service, seen: dict[str, Seen]) -> None:
    assert seen
    assert running.events("channel.failed") == []
    assert running.events("channel.crashed") == []
    assert running.events("process.died") == []
    assert "Traceback" not in running.log
