"""The source on air among a channel's sources, and the loss of a source."""

from collections.abc import Sequence

from packager.config.sources import LossConfig
from packager.timing.ticks import MICROS


def preferred(
    healthy_since: Sequence[int | None], active: int | None, now: int, back_after: int
) -> int | None:
    """The index of the source to put on air; None if no source is healthy.

    The active source stays while it is healthy, unless a preferred one is healthy for long enough.

    Args:
        healthy_since: for each source, in order of preference, the instant since which it is
            healthy; None if it is not. Monotonic microseconds, as all times here.
        active: the source on air.
        now: the current instant.
        back_after: how long a preferred source must be healthy before the switch back to it.
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
    """Why a connected source counts as lost; empty if it does not.

    Args:
        silent: microseconds since its last byte.
        still: microseconds since its last video frame; None if unknown.
        mute: microseconds since its last audio frame; None without audio.
        config: the thresholds.
    """
    if silent >= config.no_data * MICROS:
        return f"no data for {silent / MICROS:.1f} s"
    if config.no_video is not None and still is not None and still >= config.no_video * MICROS:
        return f"no video for {still / MICROS:.1f} s"
    if config.silent is not None and mute is not None and mute >= config.silent * MICROS:
        return f"no audio for {mute / MICROS:.1f} s"
    return ""
