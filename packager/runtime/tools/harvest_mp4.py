"""One MP4 file of a harvested window: its best video rendition and its first audio track."""

import subprocess
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from packager.cmaf.init_section import read_init
from packager.cmaf.samples import SampleRun
from packager.cmaf.single_file import decoded_earlier, earliness, runs_of
from packager.errors import FeedError, SetupError
from packager.layout import InitName, SegmentName
from packager.manifest.window import Window, WindowTrack
from packager.timing.ticks import MICROS, seconds
from packager.track import TrackKind


def mp4_tracks(window: Window) -> list[WindowTrack]:
    """The best video rendition and the first audio track.

    Raises:
        SetupError: a track changes its parameters, and no single file can hold that.
    """
    chosen: list[WindowTrack] = []
    for kind in (TrackKind.VIDEO, TrackKind.AUDIO):
        tracks = [track for track in window.tracks if track.latest.kind is kind]
        if tracks:
            _check_unchanged(window, tracks)
            chosen.append(tracks[0])
    return chosen


def _check_unchanged(window: Window, tracks: Sequence[WindowTrack]) -> None:
    track = tracks[0]
    name = track.latest.id
    versions = {window.track_of(name, segment).version for segment in track.segments}
    periods = {index for other in tracks for index in other.segments.periods}
    if len(versions) > 1 or periods != set(track.segments.periods):
        raise SetupError(
            f"{name} changed during the event, and one MP4 file cannot hold that: "
            "harvest without --mp4"
        )


def write_mp4(window: Window, tracks: Sequence[WindowTrack], out: Path, program: str) -> None:
    """Write `tracks` to `out`, from the harvested media in the same folder; `program` is ffmpeg.

    Raises:
        FeedError: ffmpeg failed.
    """
    parts = [_track_file(window, track, out.parent) for track in tracks]
    command = [program, "-v", "error", "-nostdin", "-copyts"]
    for part in parts:
        command += ["-i", str(part)]
    for index in range(len(parts)):
        command += ["-map", str(index)]
    offset = seconds(-Fraction(window.begin, MICROS), 6)
    command += ["-c", "copy", "-output_ts_offset", offset, "-movflags", "+faststart", str(out)]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - no shell
    for part in parts:
        part.unlink()
    if done.returncode:
        log = done.stderr.decode(errors="replace").split("\n")
        reason = next((line for line in reversed(log) if line.strip()), "it failed")
        raise FeedError(f"ffmpeg: {reason.strip()[-200:]}")


def _track_file(window: Window, track: WindowTrack, folder: Path) -> Path:
    """A file of all segments of a track, in which no frame is presented before it is decoded."""
    name = track.latest.id
    version = window.track_of(name, track.segments[0]).version
    init = (folder / name / str(InitName(version))).read_bytes()
    defaults = read_init(init).defaults

    def runs() -> Iterator[SampleRun]:
        for segment in track.segments:
            data = (folder / name / str(SegmentName(segment.number))).read_bytes()
            yield from runs_of(data, defaults)

    shift = earliness(runs())
    path = folder / f"{name}.whole.mp4"
    with path.open("wb") as file:
        file.write(init)
        for sequence, sample_run in enumerate(runs()):
            file.writelines(decoded_earlier(sample_run, shift, sequence))
    return path
