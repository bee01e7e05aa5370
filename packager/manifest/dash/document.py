"""An MPD in two parts: a frame, and the lists of segments that grow in it."""

from collections.abc import Iterator
from dataclasses import dataclass

from packager.layout import PatchName
from packager.manifest.text import Passage, Piece, Tapes, Text, spliced
from packager.segments import Segments
from packager.window import Window

TIMELINE = "|timeline|"
"""Stands in a frame for a list."""
PATCH = "|patch|"
"""Stands there for the name of the patch to what comes next."""


@dataclass(frozen=True, slots=True)
class SegmentList:
    """The SegmentTimeline (ISO/IEC 23009-1 section 5.3.9.6) of a representation."""

    period: str
    """Id."""
    adaptation_set: int
    """Id."""
    track: str
    segments: Segments
    """Not none."""

    @property
    def path(self) -> str:
        """Where it is, as an XPath."""
        return (
            f"/MPD/Period[@id='{self.period}']/AdaptationSet[@id='{self.adaptation_set}']"
            f"/Representation[@id='{self.track}']/SegmentTemplate/SegmentTimeline"
        )

    def entries(self, first: int, last: int) -> Iterator[str]:
        """The S elements of the runs that begin at a number from `first` to `last`."""
        expected: int | None = None
        for run in self.segments.runs(first, last):
            if expected is None and (at := self.segments.index_of(run.number)):
                expected = self.segments[at - 1].end
            start = "" if run.start == expected else f' t="{run.start}"'
            repeats = f' r="{run.length - 1}"' if run.length > 1 else ""
            yield f'<S{start} d="{run.duration}"{repeats}/>'
            expected = run.end

    def pieces(self, tapes: Tapes) -> Iterator[Piece]:
        """All its S elements."""

        def write(first: int, last: int) -> str:
            return "".join(self.entries(first, last))

        first, open_run = self.segments[0].number, self.segments.last_run
        passage = Passage(
            first=first,
            opened=first,
            last=open_run,
            # How long it lasts shows when there is another.
            settled=open_run - 1,
            known=self.segments[-1].number,
            lead=write,
            middle=write,
        )
        return tapes.of("dash", self.track).cut(passage)


@dataclass(frozen=True, slots=True)
class Document:
    """An MPD of a window."""

    window: Window
    frame: bytes
    lists: tuple[SegmentList, ...]
    """In the order of the frame."""

    def text(self, tapes: Tapes) -> Text:
        """It all."""
        first, *rest = self._pieces(tapes)
        name = str(self._name(Text([first, *rest])))
        return Text([Piece(first.raw.replace(PATCH.encode(), name.encode())), *rest])

    def name(self, tapes: Tapes) -> PatchName:
        """What tells it from any other MPD of its view, and so names the patch that goes on."""
        return self._name(Text(self._pieces(tapes)))

    def _name(self, unnamed: Text) -> PatchName:
        return PatchName(self.window.last, unnamed.digest)

    def _pieces(self, tapes: Tapes) -> Iterator[Piece]:
        return spliced(self.frame, TIMELINE, (listed.pieces(tapes) for listed in self.lists))
