"""The segments of a track as one file, which every reader presents at the same times.

Readers differ in their handling of samples that are presented before they are decoded, and audio
loses sync. So all samples are given earlier decode times and the same presentation times.
"""

from collections.abc import Iterable, Iterator

from packager.cmaf.boxes import Buffer
from packager.cmaf.samples import SampleDefaults, SampleRun, read, write
from packager.cmaf.splitter import MovieFragment, Splitter


def runs_of(segment: Buffer, defaults: SampleDefaults) -> Iterator[SampleRun]:
    """The runs of a whole segment.

    Raises:
        MediaError: the bytes are not a segment.
    """
    for event in Splitter().feed(segment):
        if isinstance(event, MovieFragment):
            yield read(event, defaults)


def earliness(runs: Iterable[SampleRun]) -> int:
    """Maximum ticks by which a sample is presented before it is decoded."""
    return max((0, *(-min(run.compositions) for run in runs)))


def decoded_earlier(run: SampleRun, by: int, sequence: int) -> list[Buffer]:
    """The fragment of `run`, decoded `by` ticks earlier and presented at the same times."""
    return write(run.moved(-by, -by), sequence)
