from fractions import Fraction

from packager.timing.media_watch import MediaWatch
from packager.timing.ticks import UtcMicros


def test_media_is_overdue_after_a_segment_and_a_half() -> None:
    watch = MediaWatch(Fraction(2), 100.0)
    assert watch.problem(103.0) == ""
    assert watch.problem(103.1) == "no media from ffmpeg for 3 s"
    watch.arrived(103.1)
    watch.reached(UtcMicros(5), 103.1)
    assert watch.problem(106.0) == ""


def test_audio_alone_is_no_video() -> None:
    watch = MediaWatch(Fraction(2), 0.0)
    for second in range(5):
        watch.arrived(second)
        watch.reached(UtcMicros(min(second, 1)), second)
    assert watch.silent(4.5) == 0.5
    assert watch.problem(4.5) == "no video from ffmpeg for 4 s"
