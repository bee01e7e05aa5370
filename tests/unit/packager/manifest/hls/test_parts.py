"""Media playlists with parts (RFC 8216bis section 4.4.4.9 and appendix B), read back."""

from fractions import Fraction

import m3u8
import pytest

from packager.manifest.hls import media
from packager.manifest.incremental import ListCaches
from packager.manifest.window import Window, leading, rolling
from packager.timeline.apply import fold
from packager.timeline.model import Timeline
from packager.timeline.records import Record, SegmentEnded
from packager.timing.ticks import MICROS
from tests.support.channel import FIRST, GRID, Script
from tests.support.strategies import described

SCRIPT = Script(GRID)
PARTS = 4
PART = round(GRID.duration * MICROS / PARTS)
V0, A0 = described("v0"), described("a0")


def timeline_of(*records: Record) -> Timeline:
    return fold(records, Timeline(grid=GRID))


def live(segments: int, chunks: int = 0, *, sound: int | None = None) -> Timeline:
    """So many whole segments of four parts, and parts of the next."""
    records = [*SCRIPT.period(0, FIRST, part=PART)]
    records += SCRIPT.whole(*range(FIRST, FIRST + segments), of=PARTS)
    records += SCRIPT.chunks(FIRST + segments, V0, chunks, PARTS)
    records += SCRIPT.chunks(FIRST + segments, A0, chunks if sound is None else sound, PARTS)
    return timeline_of(*records)


def window(timeline: Timeline, track: str = "v0", depth: int = 30) -> Window:
    found = leading(timeline, depth, track)
    assert found is not None
    return found


def written(
    view: Window, track: str = "v0", *, skip: bool = False, tapes: ListCaches | None = None
) -> str:
    listed = next(one for one in view.tracks if one.latest.id == track)
    return media.render(view, listed, "", tapes, skip=skip).plain().decode()


def test_the_newest_segments_have_their_parts_and_the_next_is_hinted_at() -> None:
    text = written(window(live(12, 2)))
    assert "CAN-SKIP-UNTIL=12.0" in text
    playlist = m3u8.loads(text)
    assert playlist.part_inf.part_target == float(GRID.duration / PARTS)
    assert playlist.server_control.can_block_reload == "YES"
    assert playlist.server_control.part_hold_back == float(3 * GRID.duration / PARTS)
    assert len(playlist.segments) == 13
    in_parts = [segment for segment in playlist.segments if segment.parts]
    # Three target durations of whole segments, and the segment in progress.
    assert len(in_parts) == 5
    for number, segment in enumerate(in_parts, FIRST + 8):
        count = 2 if number == FIRST + 12 else PARTS
        assert [part.uri for part in segment.parts] == [f"{number}.{i}.m4s" for i in range(count)]
        assert [part.independent for part in segment.parts] == ["YES"] + [None] * (count - 1)
        assert sum(Fraction(part.duration).limit_denominator(1000) for part in segment.parts) == (
            count * GRID.duration / PARTS
        )
    assert playlist.preload_hint.uri == f"{FIRST + 12}.2.m4s"
    [report] = playlist.rendition_reports
    assert (report.uri, report.last_msn, report.last_part) == ("../a0/index.m3u8", FIRST + 12, 1)


def test_a_report_names_the_playlist_beside_it_wherever_the_media_is() -> None:
    """RFC 8216bis section 4.4.5.4; the media of a device's playlists is the channel's."""
    view = window(live(3, 1))
    text = media.render(view, view.tracks[0], "../../../v0/").plain().decode()
    assert [report.uri for report in m3u8.loads(text).rendition_reports] == ["../a0/index.m3u8"]
    assert f'URI="../../../v0/{FIRST + 3}.0.m4s"' in text


def test_every_audio_part_is_independent() -> None:
    text = written(window(live(4, 3), "a0"), "a0")
    assert text.count("#EXT-X-PART:") == text.count("INDEPENDENT=YES")


def test_a_track_does_not_wait_for_the_others() -> None:
    script = Script(GRID)
    records = [*script.period(0, FIRST, part=PART), *script.whole(FIRST, FIRST + 1, of=PARTS)]
    records += [
        *script.chunks(FIRST + 2, V0, PARTS, PARTS),
        SegmentEnded("v0", FIRST + 2, GRID.micros(FIRST + 3)),
    ]
    records += script.chunks(FIRST + 3, V0, 1, PARTS)
    timeline = timeline_of(*records)
    assert timeline.edge == FIRST + 1
    picture = m3u8.loads(written(window(timeline)))
    assert picture.segments[-2].uri == f"{FIRST + 2}.m4s"
    assert [part.uri for part in picture.segments[-1].parts] == [f"{FIRST + 3}.0.m4s"]
    sound = written(window(timeline, "a0"), "a0")
    assert f'PRELOAD-HINT:TYPE=PART,URI="{FIRST + 2}.0.m4s"' in sound
    assert f"{FIRST + 2}.m4s" not in sound
    assert f'URI="../v0/index.m3u8",LAST-MSN={FIRST + 3},LAST-PART=0' in sound


def test_between_segments_the_first_part_of_the_next_is_hinted_at() -> None:
    text = written(window(live(5)))
    assert text.splitlines()[-2] == f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{FIRST + 5}.0.m4s"'
    assert text.splitlines()[-1].endswith(f"LAST-MSN={FIRST + 4},LAST-PART=3")


def test_a_period_that_has_just_begun_is_a_discontinuity_before_its_parts() -> None:
    records = [*SCRIPT.period(0, FIRST, part=PART), *SCRIPT.whole(FIRST, FIRST + 1, of=PARTS)]
    later = described("v0", 1)
    records += SCRIPT.period(1, FIRST + 4, later, described("a0", 1), part=PART)
    records += SCRIPT.chunks(FIRST + 4, later, 1, PARTS)
    text = written(window(timeline_of(*records)))
    lines = text.splitlines()
    at = lines.index("#EXT-X-DISCONTINUITY")
    assert [line.partition(":")[0] for line in lines[at + 1 : at + 4]] == [
        "#EXT-X-MAP",
        "#EXT-X-PROGRAM-DATE-TIME",
        "#EXT-X-PART",
    ]
    assert text.count("#EXT-X-GAP") == 2
    assert f'PRELOAD-HINT:TYPE=PART,URI="{FIRST + 4}.1.m4s"' in text


@pytest.mark.parametrize("segments", [1, 3, 5, 40, 300])
@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_a_playlist_from_the_list_cache_equals_a_fresh_one(segments: int, chunks: int) -> None:
    tapes = ListCaches()
    for count in range(max(1, segments - 3), segments + 1):
        view = window(live(count, chunks), depth=200)
        assert written(view, tapes=tapes) == written(view)


def test_a_delta_update_skips_entries_older_than_six_target_durations() -> None:
    view = window(live(30, 1))
    whole, delta = written(view), written(view, skip=True)
    skipped = int(delta.partition("SKIPPED-SEGMENTS=")[2].split()[0])
    assert skipped == 30 - 8
    entries = [line for line in whole.splitlines() if line.endswith(".m4s")][skipped:]
    assert [line for line in delta.splitlines() if line.endswith(".m4s")] == entries
    assert delta.splitlines()[-8:] == whole.splitlines()[-8:]


def test_standard_latency_lists_no_part() -> None:

    records = [*SCRIPT.period(0, FIRST), *SCRIPT.whole(FIRST, FIRST + 1, of=PARTS)]
    view = rolling(timeline_of(*records), 30)
    assert view is not None
    text = written(view)
    assert "PART" not in text
    assert "PRELOAD" not in text
