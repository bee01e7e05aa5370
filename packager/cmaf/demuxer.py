"""Bytes of one track in, its init section and runs of samples out."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from packager.cmaf.boxes import Buffer
from packager.cmaf.frame_duration import FrameDurationTracker
from packager.cmaf.init_section import InitFacts, read_init
from packager.cmaf.parameter_sets import (
    changed,
    hevc_sets,
    lacks_parameter_sets,
    with_parameter_sets,
    without_hevc_sets,
)
from packager.cmaf.samples import SampleRun, read
from packager.cmaf.splitter import InitSection, MovieFragment, Splitter
from packager.errors import FeedError, MediaError
from packager.layout import init_version
from packager.track import TrackKind


@dataclass(frozen=True, slots=True)
class Init:
    """An init section, its content and its version."""

    data: bytes
    facts: InitFacts
    version: str
    """A hash of the bytes: eight hexadecimal digits."""


@dataclass(slots=True)
class Demuxer:
    """The demuxer of one track."""

    watch_parameters: bool
    """Whether to look for changed parameters in the samples of a feed that is passed through."""
    _splitter: Splitter = field(default_factory=Splitter)
    _incomplete: bytes | None = None
    """An init section whose parameter sets are in the samples."""
    _facts: InitFacts | None = None
    _frame_duration: FrameDurationTracker = field(default_factory=FrameDurationTracker)

    def feed(self, data: Buffer) -> Iterator[Init | SampleRun]:
        """The init sections and runs that `data` completes, in order.

        Raises:
            MediaError: the bytes are not a CMAF track.
            FeedError: the stream's parameters changed.
        """
        for event in self._splitter.feed(data):
            if isinstance(event, InitSection):
                if self._facts is not None:
                    raise FeedError("the feed's parameters changed: a second init section")
                if self.watch_parameters and lacks_parameter_sets(event.data):
                    self._incomplete = event.data
                else:
                    yield self._init(event.data)
            else:
                if self._facts is None and self._incomplete is not None:
                    sets = hevc_sets(event.payload)
                    yield self._init(with_parameter_sets(self._incomplete, sets))
                yield self._run(event)

    def _init(self, data: bytes) -> Init:
        self._facts = read_init(data)
        return Init(data, self._facts, init_version(data))

    def _run(self, fragment: MovieFragment) -> SampleRun:
        facts = self._facts
        if facts is None:
            raise MediaError("no moov before it", box="moof")
        run = read(fragment, facts.defaults)
        if not self.watch_parameters:
            return run
        if self._has_changed(run, facts):
            raise FeedError(f"the feed's parameters changed: {facts.kind}")
        return without_hevc_sets(run) if facts.codec.string.startswith("hvc1") else run

    def _has_changed(self, run: SampleRun, facts: InitFacts) -> bool:
        if facts.kind is TrackKind.VIDEO:
            return run.keyframe and changed(run, facts.codec)
        return self._frame_duration.changed(run.durations)
