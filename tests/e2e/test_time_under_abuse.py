"""Feeds with wrong timestamps through real processes, as docs/timeline.md describes."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from packager.timing.smooth_time import TIMESCALE
from tests.support import flashes, material, programs
from tests.support.channel_view import TINY, TRACKS, D, Seen, see
from tests.support.service import Service, service, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.extended]

SKEW = Fraction(25, 1000)
WRAP = 2**33 / 90_000
AT = 6
"""Seconds after which the timestamps jump."""
SILENT = (5, 10)
"""Seconds between which a feed has no sound."""
BEEP = Fraction(1, 4)
"""Seconds that a beep lasts, and a frame."""


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
        "silent": flashing(folder / "silent.ts", seconds=16, starts=9, silent=SILENT),
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


@pytest.fixture(scope="module")
def seen(running: Service) -> dict[str, Seen]:
    running.wait_for_segments("round", 10, 120)
    for channel in ENDING:
        wait_until(
            lambda name=channel: running.status(name)["state"] == "ended",  # type: ignore[misc]
            f"the end of {channel}",
            120,
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
    found = seen[channel]
    begun = found.newest[0].start
    # A period that begins within a flash and its beep has only their end.
    beeps = [beep for beep in found.beeps if abs(beep - begun) > BEEP]
    apart = flashes.apart(found.flashes, beeps)
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
def test_a_jump_of_the_timestamps_is_filled_or_cut(seen: dict[str, Seen], channel: str) -> None:
    """A still picture and silence fill up to ten seconds; longer or backward jumps are cut."""
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
    sound = found.hls["audio"]
    if not sound.missing:
        # ffmpeg was late, and has read the outage in less time than the live edge waits for audio.
        assert sum(piece.duration for piece in sound.media) > 16 - D
        return
    heard = [piece.duration for piece in sound.media if piece.number < sound.missing[0]]
    assert SILENT[0] - Fraction(1, 2) < sum(heard) < SILENT[0] + Fraction(1, 10)
    assert max(sound.missing) < sound.media[-1].number
    assert found.beeps[-1] > sound.media[-1].start


def test_no_channel_or_process_crashed(running: Service, seen: dict[str, Seen]) -> None:
    assert seen
    assert running.events("channel.failed") == []
    assert running.events("channel.crashed") == []
    assert running.events("process.died") == []
    assert "Traceback" not in running.log
