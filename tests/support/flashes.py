"""The distance in time between audio and video, measured by matching flashes and beeps."""

import subprocess
from array import array
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import imageio_ffmpeg

from packager.cmaf.init_section import read_init
from packager.cmaf.samples import SampleDefaults
from packager.cmaf.single_file import runs_of

_BRIGHT = 128
"""Of 256: a brighter frame is a flash."""
_LOUD = 3000
"""Of 32768: a louder sample is part of a beep."""
_QUIET = Fraction(1, 20)
"""Seconds of silence before a beep: single samples of a sine are 0 too."""
_FRAME = 1024
"""Samples of an audio frame."""
_PATIENCE = 60
"""Seconds."""
_NONE = SampleDefaults(0, 0, 0)


def sample_times(init: bytes, segments: Sequence[bytes]) -> list[Fraction]:
    """Presentation times of a track's samples in seconds since the epoch, in order."""
    timescale = read_init(init).timescale
    times: list[Fraction] = []
    for run in (run for segment in segments for run in runs_of(segment, _NONE)):
        at = run.start
        for duration, composition in zip(run.durations, run.compositions, strict=True):
            times.append(Fraction(at + composition, timescale))
            at += duration
    return sorted(times)


def _decoded(init: bytes, segments: Sequence[bytes], *options: str) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", "pipe:0"]
    done = subprocess.run(
        [*command, *options, "pipe:1"],
        input=b"".join([init, *segments]), capture_output=True, timeout=_PATIENCE, check=True,
    )  # fmt: skip
    assert done.stderr == b"", done.stderr.decode()
    return done.stdout


def of_picture(init: bytes, segments: Sequence[bytes]) -> list[Fraction]:
    """The instants at which the picture turns bright."""
    light = _decoded(
        init, segments,
        "-vf", "scale=1:1,format=gray", "-fps_mode", "passthrough", "-f", "rawvideo",
    )  # fmt: skip
    times = sample_times(init, segments)
    assert len(light) == len(times), "not every picture was decoded"
    return [
        times[index + 1]
        for index, (before, after) in enumerate(pairwise(light))
        if before < _BRIGHT <= after
    ]


def of_sound(init: bytes, segments: Sequence[bytes]) -> list[Fraction]:
    """The instants at which beeps begin."""
    rate = read_init(init).sample_rate
    heard = array("h", _decoded(init, segments, "-ac", "1", "-f", "s16le"))
    times = sample_times(init, segments)
    assert len(heard) == len(times) * _FRAME, "not all sound was decoded"
    begun: list[Fraction] = []
    last = Fraction(0)
    for number, time in enumerate(times):
        frame = heard[number * _FRAME : (number + 1) * _FRAME]
        loud = [index for index, level in enumerate(frame) if abs(level) > _LOUD]
        if not loud:
            continue
        # A frame is shorter than the silence before a beep.
        first = time + Fraction(loud[0], rate)
        if first - last > _QUIET:
            begun.append(first)
        last = time + Fraction(loud[-1], rate)
    return begun


def apart(flashes: Sequence[Fraction], beeps: Sequence[Fraction]) -> list[Fraction]:
    """Seconds from the nearest flash to each beep, of pairs less than half a second apart."""
    pairs = [(beep, min(flashes, key=lambda flash: abs(flash - beep))) for beep in beeps]
    return [beep - flash for beep, flash in pairs if abs(beep - flash) < Fraction(1, 2)]
