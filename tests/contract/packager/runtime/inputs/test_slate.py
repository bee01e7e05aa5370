"""The slate of a ladder that copies."""

from fractions import Fraction

from packager.config.ladder import (
    CopiedAudio,
    CopiedVideo,
    EncodedAudio,
    EncodedVideo,
    MixedLadder,
)
from packager.config.sources import LossConfig
from packager.ffmpeg.command import arguments
from packager.ffmpeg.inputs import Pace
from packager.ffmpeg.tracks import track_specs
from packager.journal.format import VERSION
from packager.runtime.inputs.slate import open_slate, slate_ladder
from packager.timeline.apply import fold
from packager.timeline.records import Anchor, JournalHeader, PeriodStarted, TrackAdded
from packager.timing.ticks import UtcMicros
from packager.track import Track, TrackKind
from tests.paths import ROOT
from tests.support.receivers import FFMPEG

LOWER = EncodedVideo(id="lo", width=640, height=360, bitrate=800_000)


def audio_track(name: str) -> Track:
    return Track(
        id=name,
        kind=TrackKind.AUDIO,
        version="0",
        timescale=48_000,
        codecs="ac-3" if name.startswith("surround") else "mp4a.40.2",
        codec_private="",
        bitrate=96_000,
        language="deu",
    )


async def test_the_slate_has_the_tracks_of_a_mixed_ladder() -> None:
    ladder = MixedLadder(
        name="m",
        segment=Fraction(2),
        video=(CopiedVideo(id="top"), LOWER),
        audio=(CopiedAudio(id="surround"), EncodedAudio(id="stereo", bitrate=96_000)),
    )
    timeline = fold(
        [
            JournalHeader(VERSION, "tv", Fraction(2)),
            PeriodStarted(0, 1, Anchor(Fraction(0), UtcMicros(2_000_000), UtcMicros(2_000_000))),
            *(TrackAdded(audio_track(name)) for name in ("surround2", "stereo", "stereo2")),
        ]
    )
    slate = slate_ladder(ladder, ladder.segment, timeline)
    opened = await open_slate(LossConfig(), slate, timeline, ROOT, FFMPEG)
    specs = track_specs(slate, opened.info)
    assert [spec.id for spec in specs] == ["top", "lo", "stereo", "stereo2"]
    assert not any(spec.copied for spec in specs)
    assert [spec.bitrate for spec in specs] == [801_000, 800_000, 96_000, 96_000]
    words = arguments(
        opened.feed, slate, slate.segment, opened.info, range(3, 7), pace=Pace.REAL_TIME
    )
    assert words.count("-force_key_frames") == 2
