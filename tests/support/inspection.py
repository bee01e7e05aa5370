"""Feeds put through an inspector, in any pieces."""

from collections.abc import Iterable
from dataclasses import dataclass

from packager.feed.report import Inspector, Report


@dataclass(frozen=True)
class Inspected:
    """The results of an inspector for one feed."""

    data: bytes
    """All bytes of the output."""
    starts: tuple[int, ...]
    """Offsets in `data` of the pieces that a decoder can start at."""
    prelude: bytes
    revision: int
    report: Report


def inspected(looking: Inspector, parts: Iterable[bytes], now: int = 0) -> Inspected:
    """Put `parts` through an inspector, all at the same time."""
    out: list[bytes] = []
    starts: list[int] = []
    size = 0
    for part in parts:
        for piece in looking.push(part, now):
            assert piece.data
            if piece.starts:
                starts.append(size)
            out.append(piece.data)
            size += len(piece.data)
    return Inspected(
        b"".join(out), tuple(starts), looking.prelude, looking.revision, looking.report(now)
    )
