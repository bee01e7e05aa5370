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
from packager.runtime.inputs.slate import open_slate, slate_ladder
from packager.timeline.model import Timeline
from tests.paths import ROOT
from tests.support.receivers import FFMPEG

LOWER = EncodedVideo(id="lo", width=640, height=360, bitrate=800_000)


async def test_the_slate_has_the_tracks_of_a_mixed_ladder() -> None:
    ladder = MixedLadder(
        name="m",
        segment=Fraction(2),
        video=(CopiedVideo(id="top"), LOWER),
        audio=(CopiedAudio(id="surround"), EncodedAudio(id="stereo", bitrate=96_000)),
    )
    slate = slate_ladder(ladder, ladder.segment, Timeline())
    opened = await open_slate(LossConfig(), slate, Timeline(), ROOT, FFMPEG)
    specs = track_specs(slate, opened.info)
    assert [spec.id for spec in specs] == ["top", "lo", "stereo"]
    assert not any(spec.copied for spec in specs)
    assert [spec.bitrate for spec in specs] == [801_000, 800_000, 96_000]
    words = arguments(
        opened.feed, slate, slate.segment, opened.info, (3, 4, 5), pace=Pace.REAL_TIME
    )
    assert words.count("-force_key_frames") == 2
