"""HLS, DASH and Smooth agree on one window."""

from fractions import Fraction

from hypothesis import given

from packager.manifest.hls import media
from packager.manifest.window import Window
from packager.timing.smooth_time import EPOCH, TIMESCALE
from packager.timing.ticks import MICROS, parse_iso8601
from tests.support import dash_reader as dash
from tests.support import hls_reader as hls
from tests.support import smooth_reader as smooth
from tests.support.windows import any_window


@given(any_window())
def test_the_same_instants(window: Window) -> None:
    named: dict[str, list[Fraction]] = {}
    for segment in dash.listed(dash.document(window)):
        named.setdefault(segment.track, []).append(segment.time)
    for track in window.tracks:
        entries = hls.entries(media.render(window, track).plain().decode()).values()
        dates = [parse_iso8601(entry.date) for entry in entries if not entry.gap]
        times = named[track.latest.id]
        assert len(dates) == len(times)
        for date, time in zip(dates, times, strict=True):
            assert abs(Fraction(date, MICROS) - time) <= Fraction(501, 10**6)
    for kind, stream in smooth.streams(window):
        fragments = [start for start, _ in smooth.unrolled(stream)]
        times = named[smooth.shown(window, kind)[0].latest.id]
        for fragment, time in zip(fragments, times, strict=False):
            assert abs(Fraction(fragment, TIMESCALE) + EPOCH - time) <= Fraction(1, 2 * TIMESCALE)
