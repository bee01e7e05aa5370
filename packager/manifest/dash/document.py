"""An MPD in two parts: a frame, and the growing lists of segments in it."""

from collections.abc import Iterator
from dataclasses import dataclass

from packager.layout import PatchName
from packager.manifest.incremental import (
    CompressedBlock,
    ListCaches,
    ListSlice,
    ManifestText,
    spliced,
)
from packager.manifest.window import Window
from packager.timeline.segments import Segments

TIMELINE = "|timeline|"
"""Placeholder for a list in a frame."""
PATCH = "|patch|"
"""Placeholder for the name of the patch to the next MPD."""


@dataclass(frozen=True, slots=True)
class SegmentList:
    """The SegmentTimeline (ISO/IEC 23009-1 section 5.3.9.6) of a representation."""

    period: str
    """Id of its period."""
    adaptation_set: int
    """Id of its adaptation set."""
    track: str
    segments: Segments
    """At least one."""

    @property
    def path(self) -> str:
        """Its XPath."""
        return (
            f"/MPD/Period[@id='{self.period}']/AdaptationSet[@id='{self.adaptation_set}']"
            f"/Representation[@id='{self.track}']/SegmentTemplate/SegmentTimeline"
        )

    def entries(self, first: int, last: int) -> Iterator[str]:
        """The S elements of the runs whose first number is from `first` to `last`."""
        expected: int | None = None
        for run in self.segments.runs(first, last):
            if expected is None and (at := self.segments.index_of(run.number)):
                expected = self.segments[at - 1].end
            start = "" if run.start == expected else f' t="{run.start}"'
            repeats = f' r="{run.length - 1}"' if run.length > 1 else ""
            yield f'<S{start} d="{run.duration}"{repeats}/>'
            expected = run.end

    def blocks(self, cache: ListCaches) -> Iterator[CompressedBlock]:
        """The text of all its S elements."""

        def write(first: int, last: int) -> str:
            return "".join(self.entries(first, last))

        first, open_run = self.segments[0].number, self.segments.last_run
        part = ListSlice(
            first=first,
            lead_until=first,
            last=open_run,
            # The length of the last run is final once another one follows.
            settled=open_run - 1,
            known=self.segments[-1].number,
            render_lead=write,
            render=write,
        )
        return cache.of("dash", self.track).cut(part)


@dataclass(frozen=True, slots=True)
class Document:
    """An MPD of a window."""

    window: Window
    frame: bytes
    lists: tuple[SegmentList, ...]
    """The lists, in the order of the frame."""

    def text(self, cache: ListCaches) -> ManifestText:
        """The whole text."""
        first, *rest = self._blocks(cache)
        name = str(self._name(ManifestText([first, *rest])))
        return ManifestText(
            [CompressedBlock(first.raw.replace(PATCH.encode(), name.encode())), *rest]
        )

    def name(self, cache: ListCaches) -> PatchName:
        """The identity of this MPD in its view: the name of the patch from it to the next."""
        return self._name(ManifestText(self._blocks(cache)))

    def _name(self, unnamed: ManifestText) -> PatchName:
        return PatchName(self.window.last, unnamed.digest)

    def _blocks(self, cache: ListCaches) -> Iterator[CompressedBlock]:
        return spliced(self.frame, TIMELINE, (one.blocks(cache) for one in self.lists))
