"""What HLS, DASH and Smooth say of one window is the same."""

import importlib.util
from fractions import Fraction
from pathlib import Path
from types import ModuleType

from hypothesis import given

from packager.manifest.hls import media
from packager.smooth_clock import EPOCH, TIMESCALE
from packager.ticks import MICROS, parse_iso8601
from packager.window import Window
from tests.windows import any_window


def beside(name: str) -> ModuleType:
    """Another test file of this folder: it has the reader of its format."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hls, dash, smooth = beside("test_hls"), beside("test_dash"), beside("test_smooth")


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
