"""A channel, as it is written in a file and as the packager runs it."""

from fractions import Fraction
from typing import Annotated

import msgspec

from packager.config.fields import ByteSize, Duration, Text
from packager.config.ladder import Ladder, Latency
from packager.config.scalars import FieldNote, ListRule, MapRule
from packager.config.schema.events import EventConfig
from packager.config.schema.origin import ServedChannel
from packager.config.sources import Source
from packager.timeline.events import MOST
from packager.timeline.records import EventSet
from packager.timing.ticks import UtcMicros


class ChannelEntry(ServedChannel, frozen=True, kw_only=True):
    """A channel: one feed in, one timeline out.

    This is the entry of a file; `resolve` makes a ChannelConfig of it.
    """

    source: Annotated[Source | None, FieldNote(example="{type: pattern}")] = None
    """The only source; set exactly one of `source` and `sources`."""
    sources: Annotated[
        tuple[Source, ...],
        ListRule(0, 8, "a list of 1 to 8 sources"),
        FieldNote(example="[{type: srt, port: 9000}, {type: udp, port: 5000}]"),
    ] = ()
    """Sources in the order of preference, each as `source`: the first healthy one is on air."""
    ladder: Annotated[Text, FieldNote(example="demo")]
    """Name of a shipped ladder, or a path that ends in `.yaml`."""
    segment: Annotated[
        Duration | None, FieldNote(example="1.92s", default="`segment` of the ladder")
    ] = None
    """Duration of a segment."""
    retention_size: Annotated[ByteSize, FieldNote(default="no limit")] = 0
    """Media that is kept at most; the oldest is deleted first."""
    events: Annotated[
        dict[str, EventConfig],
        MapRule(0, MOST, f"a mapping of at most {MOST} names to events", "an event", "EVENT"),
        FieldNote(example="{final: {start: 2026-01-01T18:00:00Z}}"),
    ] = msgspec.field(default_factory=dict[str, EventConfig])
    """The schedule, by name."""
    latency: Annotated[
        Latency | None, FieldNote(example="low", default="`latency` of the ladder")
    ] = None
    """`low` serves segments in parts while they grow."""

    @property
    def all_sources(self) -> tuple[Source, ...]:
        """One at least."""
        return self.sources if self.source is None else (self.source,)


class ChannelConfig(ServedChannel, frozen=True, kw_only=True):
    """A channel with all that it names: its ladder is read, its paths are absolute."""

    name: str
    sources: tuple[Source, ...]
    """In the order of preference, one at least."""
    ladder: Ladder
    segment: Fraction
    """Seconds."""
    retention_size: int
    """Bytes of media that are kept at most; 0 for no limit."""
    events: tuple[EventSet, ...]
    """The schedule."""

    @property
    def ladder_name(self) -> str:
        """The name of the ladder's file, without the suffix."""
        return self.ladder.name


def ladder_of(entry: ChannelEntry, ladder: Ladder) -> Ladder:
    """`ladder` with the latency of the channel."""
    if entry.latency is None:
        return ladder
    return msgspec.structs.replace(ladder, latency=entry.latency)


def segment_of(entry: ChannelEntry, ladder: Ladder) -> Fraction:
    """Seconds of a segment: the channel's own, or else the ladder's."""
    return ladder.segment if entry.segment is None else entry.segment


def resolve(name: str, entry: ChannelEntry, ladder: Ladder) -> ChannelConfig:
    """The channel that `entry` describes."""
    return ChannelConfig(
        name=name,
        sources=entry.all_sources,
        ladder=ladder_of(entry, ladder),
        segment=segment_of(entry, ladder),
        window=entry.window,
        retention=entry.retention,
        retention_size=entry.retention_size,
        events=tuple(_event(event, config) for event, config in entry.events.items()),
        access=entry.access,
        loss=entry.loss,
    )


def _event(name: str, config: EventConfig) -> EventSet:
    end = None if config.end is None else UtcMicros(config.end)
    return EventSet(name, UtcMicros(config.start), end, config.pin)
