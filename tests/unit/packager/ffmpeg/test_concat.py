from dataclasses import replace
from fractions import Fraction

import pytest

from packager.errors import FeedError
from packager.ffmpeg.concat import common, concat_list
from packager.ffmpeg.probe import AudioStream, SourceInfo, VideoStream

PICTURE = VideoStream("h264", 640, 360, Fraction(25), 0, 12_800)
SOUND = AudioStream("aac", "eng", 1, 48_000, "stereo")
FIRST = SourceInfo((PICTURE,), (SOUND,), Fraction(10))
FILES = ("/media/a.mp4", "/media/b.mp4")


def joined(other: SourceInfo, *, encoded: bool) -> SourceInfo:
    return common(FILES, [FIRST, other], encoded=encoded)


@pytest.mark.parametrize("encoded", [True, False])
def test_alike(*, encoded: bool) -> None:
    assert joined(FIRST, encoded=encoded) == replace(FIRST, duration=Fraction(20))
    assert joined(replace(FIRST, duration=None), encoded=encoded).duration is None
    more = replace(FIRST, audio=(SOUND, replace(SOUND, index=2)))
    assert joined(more, encoded=encoded).audio == (SOUND,)


@pytest.mark.parametrize(
    ("other", "encoded", "reason"),
    [
        (
            replace(FIRST, video=(replace(PICTURE, time_base=60_000),)),
            True,
            (
                "b.mp4: the files of a list must have equal streams: "
                "here stream 0 is h264 in ticks of 1/60000 s, "
                "in the first file stream 0 is h264 in ticks of 1/12800 s"
            ),
        ),
        (replace(FIRST, video=(replace(PICTURE, codec="hevc"),)), True, "stream 0 is hevc"),
        (replace(FIRST, video=(replace(PICTURE, index=1),)), True, "stream 1 is h264"),
        (replace(FIRST, audio=(replace(SOUND, sample_rate=44_100),)), True, "of 44100 Hz"),
        (replace(FIRST, audio=(replace(SOUND, codec="ac3"),)), True, "stream 1 is ac3"),
        (replace(FIRST, audio=()), True, "either all files of a list have audio, or none"),
        (replace(FIRST, video=(replace(PICTURE, width=320),)), False, "320x360"),
        (replace(FIRST, video=(replace(PICTURE, frame_rate=Fraction(50)),)), False, "50 fps"),
        (replace(FIRST, audio=(replace(SOUND, layout="mono"),)), False, "48000 Hz, mono"),
    ],
)
def test_unequal_files_cannot_be_joined(other: SourceInfo, reason: str, *, encoded: bool) -> None:
    with pytest.raises(FeedError) as caught:
        joined(other, encoded=encoded)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "other",
    [
        replace(FIRST, video=(replace(PICTURE, width=320, frame_rate=Fraction(50)),)),
        replace(FIRST, audio=(replace(SOUND, layout="mono", language="fra"),)),
    ],
)
def test_an_encoder_evens_out_the_rest(other: SourceInfo) -> None:
    joined(other, encoded=True)


def test_the_list_quotes_names() -> None:
    text = concat_list(["/a b/c.ts", "/it's.ts"])
    assert text == "ffconcat version 1.0\nfile '/a b/c.ts'\nfile '/it'\\''s.ts'\n"
