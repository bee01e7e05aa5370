"""Runs whose times are put right: what muxers and resamplers leave in them."""

from collections.abc import Iterator

from packager.cmaf.run import Run

AAC_FRAME = 1024
"""Samples of a frame of the AAC-LC that an encoded ladder has (ISO/IEC 14496-3 4.5.2.1.1)."""


def evened(run: Run, expected: int | None) -> Run | None:
    """`run` with frames of equal length that follow the last one; None if nothing of it is left.

    The encoder's sound follows its timestamps to within a millisecond, and leaves that rest in
    them, at the turn of a looped file even a frame of a few ticks. Taken out, a timeline stays one
    line for as long as the encoder runs; what has added up to half a frame is made good by leaving
    out a frame or by a hole.
    """
    durations = [AAC_FRAME] * len(run.durations)
    start = run.start if expected is None else expected
    ahead = start - run.start
    if 2 * ahead < -AAC_FRAME:
        start = run.start
    even = Run(start, durations, run.sizes, run.flags, run.compositions, run.payload)
    extra = (2 * ahead + AAC_FRAME) // (2 * AAC_FRAME)
    if extra <= 0:
        return even
    if extra >= len(durations):
        return None
    return even.split(extra)[1].moved(-extra * AAC_FRAME)


def without_jumps(run: Run, limit: int) -> Iterator[Run]:
    """`run`, parted after every sample that lasts more than `limit` ticks.

    A muxer that does not know better lets a sample last until the next one, however late; such a
    sample gets the length of its neighbour.
    """
    if max(run.durations) <= limit:
        yield run
        return
    rest: Run | None = run
    while rest is not None:
        index = next((i for i, d in enumerate(rest.durations) if d > limit), None)
        if index is None:
            yield rest
            return
        head = rest if index + 1 == len(rest.sizes) else rest.split(index + 1)[0]
        rest = None if head is rest else rest.split(index + 1)[1]
        durations = list(head.durations)
        durations[index] = durations[index - 1] if index else 1
        yield Run(head.start, durations, head.sizes, head.flags, head.compositions, head.payload)
