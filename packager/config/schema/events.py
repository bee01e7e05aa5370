"""The schedule of a channel."""

from typing import Annotated

import msgspec

from packager.config.fields import Instant
from packager.config.scalars import FieldNote


class EventConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A named part of the timeline that is known in advance."""

    start: Annotated[Instant, FieldNote(example="2026-01-01T18:00:00Z")]
    """Start of the event, in ISO 8601 with an offset from UTC."""
    end: Annotated[Instant | None, FieldNote(example="2026-01-01T20:00:00Z", default="open")] = None
    """End of the event; leave it out while it is unknown."""
    pin: bool = False
    """Whether the media of the event stays after the retention."""
