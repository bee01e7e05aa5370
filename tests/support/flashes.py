"""Flashes and beeps that belong together: how far sound and picture are apart where it counts."""

import subprocess
from array import array
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import imageio_ffmpeg

from packager.cmaf.init import read_init
from packager.cmaf.run import Defaults
from packager.cmaf.whole import runs_of

_BRIGHT = 128
"""Of 256: what is on the bright side is a flash."""
_LOUD = 3000
"""Of 32768: what is above it is a beep."""
_QUIET = Fraction(1, 20)
"""Seconds of silence before a beep: a sine passes through nought too."""
_FRAME = 1024
"""Samples of a frame of sound."""
_PATIENCE = 60
"""Seconds."""
_NONE = Defaults(0, 0, 0)


def sample_times(init: bytes, segments: Sequence[bytes]) -> list[Fraction]:
    """When each sample of a track is shown or heard, in seconds since the epoch, in order."""
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
    loud = Fraction(0)
    for index, level in enumerate(heard):
        if abs(level) > _LOUD:
            at = times[index // _FRAME] + Fraction(index % _FRAME, rate)
            if at - loud > _QUIET:
                begun.append(at)
            loud = at
    return begun


def apart(flashes: Sequence[Fraction], beeps: Sequence[Fraction]) -> list[Fraction]:
    """How much later than its flash each beep is, in seconds, where both are there."""
    pairs = [(beep, min(flashes, key=lambda flash: abs(flash - beep))) for beep in beeps]
    return [beep - flash for beep, flash in pairs if abs(beep - flash) < Fraction(1, 2)]
