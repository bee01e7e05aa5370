"""Which of a channel's sources is on air, and when one counts as lost."""

from collections.abc import Sequence

from packager.source import LossConfig
from packager.ticks import MICROS


def preferred(
    healthy_since: Sequence[int | None], active: int | None, now: int, back_after: int
) -> int | None:
    """The index of the source to take; None where none is healthy.

    The active one stays as long as it is healthy, unless one before it has been for long enough.

    Args:
        healthy_since: of each source in the order of preference, since when it is healthy without
            a break; None where it is not. Monotonic microseconds, as all times here.
        active: which is on air.
        now: the instant.
        back_after: how long one has to be healthy to be taken back.
    """
    healthy = [index for index, since in enumerate(healthy_since) if since is not None]
    if active is None or healthy_since[active] is None:
        return healthy[0] if healthy else None
    for index in healthy:
        since = healthy_since[index]
        if index < active and since is not None and now - since >= back_after:
            return index
    return active


def loss(silent: int, still: int | None, mute: int | None, config: LossConfig) -> str:
    """Why a source that is connected counts as lost; empty where it does not.

    Args:
        silent: microseconds since its last byte.
        still: the same since its last picture; None where that is not known.
        mute: the same since its last sound; None where it has none.
        config: how much is too long.
    """
    if silent >= config.no_data * MICROS:
        return f"no data for {silent / MICROS:.1f} s"
    if config.no_video is not None and still is not None and still >= config.no_video * MICROS:
        return f"no picture for {still / MICROS:.1f} s"
    if config.silent is not None and mute is not None and mute >= config.silent * MICROS:
        return f"no sound for {mute / MICROS:.1f} s"
    return ""
