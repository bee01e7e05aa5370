"""What the origin knows of a channel."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from packager.device import EVERYTHING, Device
from packager.timeline import Timeline


@dataclass(frozen=True, slots=True)
class ChannelView:
    """What the origin knows of a channel: its journal's timeline, and its configuration."""

    timeline: Timeline
    window: Fraction
    """Seconds of the rolling window."""
    retention: Fraction
    """Seconds that are kept, unless room is wanting."""
    hides_filler: bool = False
    """Whether what is sent while there is no feed counts as no live edge."""
    devices: Mapping[str, Device] = field(default_factory=dict[str, Device])
    """The profiles that there are, by name."""

    def device(self, name: str) -> Device:
        """The profile of that name; of no name, one that is shown everything."""
        return self.devices[name] if name else EVERYTHING

    @property
    def is_without_feed(self) -> bool:
        """Whether the live edge is none that viewers shall get."""
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
