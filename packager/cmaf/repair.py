"""Repair of sample times that muxers and resamplers have damaged."""

from collections.abc import Iterator

from packager.cmaf.samples import SampleRun

AAC_FRAME = 1024
"""Samples of an AAC-LC frame of an encoded ladder (ISO/IEC 14496-3 section 4.5.2.1.1)."""


def with_even_frames(run: SampleRun, expected: int | None) -> SampleRun | None:
    """`run` with frames of equal duration from `expected` ticks on; None if no frame is left.

    The encoder keeps audio within a millisecond of its input timestamps, and leaves the difference
    in its output. Where a looped file starts again, even a frame of a few ticks appears. Without
    that difference a timeline stays one line while the encoder runs. Once the difference adds up
    to half a frame, a frame is left out or a hole appears.
    """
    durations = [AAC_FRAME] * len(run.durations)
    start = run.start if expected is None else expected
    ahead = start - run.start
    if 2 * ahead < -AAC_FRAME:
        start = run.start
    even = SampleRun(start, durations, run.sizes, run.flags, run.compositions, run.payload)
    extra = (2 * ahead + AAC_FRAME) // (2 * AAC_FRAME)
    if extra <= 0:
        return even
    if extra >= len(durations):
        return None
    return even.split(extra)[1].moved(-extra * AAC_FRAME)


def split_at_jumps(run: SampleRun, limit: int) -> Iterator[SampleRun]:
    """`run`, split after every sample that lasts more than `limit` ticks.

    A muxer lets a sample last until the next one, however late that is. Such a sample gets the
    duration of the sample before it.
    """
    if max(run.durations) <= limit:
        yield run
        return
    rest: SampleRun | None = run
    while rest is not None:
        index = next((i for i, d in enumerate(rest.durations) if d > limit), None)
        if index is None:
            yield rest
            return
        head = rest if index + 1 == len(rest.sizes) else rest.split(index + 1)[0]
        rest = None if head is rest else rest.split(index + 1)[1]
        durations = list(head.durations)
        durations[index] = durations[index - 1] if index else 1
        yield SampleRun(
            head.start, durations, head.sizes, head.flags, head.compositions, head.payload
        )
