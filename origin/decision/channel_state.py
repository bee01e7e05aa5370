"""The state of a channel that decisions depend on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from packager.config.devices import EVERYTHING, Device
from packager.timeline.model import Timeline


@dataclass(frozen=True, slots=True)
class ChannelSnapshot:
    """A channel's timeline and its configuration."""

    timeline: Timeline
    window: Fraction
    """Seconds of the rolling window."""
    retention: Fraction
    """Seconds of media that are kept, unless the disk is full."""
    hides_filler: bool = False
    """Whether live manifests return 503 during a filler."""
    devices: Mapping[str, Device] = field(default_factory=dict[str, Device])
    """Device profiles by name."""

    def device(self, name: str) -> Device:
        """The profile of that name; for an empty name, one without limits."""
        return self.devices[name] if name else EVERYTHING

    @property
    def is_without_feed(self) -> bool:
        """Whether the live edge is a filler that must not be served."""
        timeline = self.timeline
        current = timeline.period
        return (
            self.hides_filler
            and current is not None
            and current.filler
            and timeline.edge >= current.number
        )

    @property
    def depth(self) -> int:
        """Segments of the rolling window."""
        return max(1, self.window // self.timeline.grid.duration)
