"""The segments of a track as one file that every reader shows at the same instants.

A reader makes up for pictures that are shown before they are decoded as it meets them, each in its
own way, and the sound falls out of step. Here none is left: all are decoded earlier, and shown
when they were.
"""

from collections.abc import Iterable, Iterator

from packager.cmaf.boxes import Buffer
from packager.cmaf.run import Defaults, Run, read, write
from packager.cmaf.splitter import Fragment, Splitter


def runs_of(segment: Buffer, defaults: Defaults) -> Iterator[Run]:
    """The runs of a whole segment.

    Raises:
        MediaError: it is none.
    """
    for event in Splitter().feed(segment):
        if isinstance(event, Fragment):
            yield read(event, defaults)


def earliness(runs: Iterable[Run]) -> int:
    """Ticks by which a sample is shown before it is decoded, at most."""
    return max((0, *(-min(run.compositions) for run in runs)))


def decoded_earlier(run: Run, by: int, sequence: int) -> list[Buffer]:
    """The fragment of the samples of `run`, decoded `by` ticks earlier and shown when they were."""
    return write(run.moved(-by, -by), sequence)
