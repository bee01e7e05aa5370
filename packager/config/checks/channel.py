"""Rules of one channel: its sources, and what its ladder has to allow."""

from fractions import Fraction

from packager.config.checks.ladder import segment_fault
from packager.config.decoding.report import FileReport
from packager.config.ladder import EncodeLadder, Ladder, PassthroughLadder
from packager.config.quantities import format_duration
from packager.config.schema.channel import ChannelEntry, segment_of
from packager.config.sources import CmafSource, FileSource, LossConfig, PatternSource, Source
from packager.timeline.retention import SPARE


def placed_sources(channel: ChannelEntry, path: str) -> list[tuple[str, Source]]:
    """The sources of a channel that stands at `path`, with their paths."""
    if channel.source is not None:
        return [(f"{path}.source", channel.source)]
    return [(f"{path}.sources[{index}]", source) for index, source in enumerate(channel.sources)]


def check_channel(channel: object, path: str, report: FileReport) -> None:
    """Check what no single field of a channel can hold; its ladder is not needed for it."""
    if not isinstance(channel, ChannelEntry):
        raise TypeError(channel)
    one, several = f"{path}.source", f"{path}.sources"
    if channel.source is not None and channel.sources:
        report.broken(several, "there is a source already", "move it into this list", one)
    if not channel.all_sources:
        report.broken(one, "missing", "add `source: {type: pattern}` or `sources:`", several)
    if channel.loss.slate is not None and channel.loss.filler == "none":
        reason = "slate has no effect unless filler is slate or last-frame"
        report.broken(f"{path}.loss.slate", reason, "set filler: slate", f"{path}.loss.filler")
    for place, source in placed_sources(channel, path):
        if isinstance(source, CmafSource):
            _check_cmaf(channel, place, path, report)
        if isinstance(source, FileSource) and not source.loop and channel.sources[1:]:
            reason = "a file beside other sources has no end"
            report.broken(place, reason, "set loop: true", f"{place}.loop")


def _check_cmaf(channel: ChannelEntry, place: str, path: str, report: FileReport) -> None:
    if channel.loss != LossConfig():
        reason = "loss has no effect on a cmaf source: its encoders back each other up"
        report.broken(f"{path}.loss", reason, "remove loss", place)
    if channel.latency == "low":
        reason = "a cmaf source sends chunks of any length, which cannot be served in parts"
        report.broken(f"{path}.latency", reason, "use standard, or remove latency", place)
    if channel.sources[1:]:
        reason = "a cmaf source is the only source of its channel: its encoders share it"
        report.broken(place, reason, "remove the other sources, or give them another channel")


def check_ladder_fits(channel: ChannelEntry, ladder: Ladder, path: str, report: FileReport) -> None:
    """Check that the channel at `path` can be made with `ladder`."""
    _check_mode(channel, ladder, path, report)
    segment = segment_of(channel, ladder)
    if (fault := segment_fault(segment, ladder)) is not None:
        report.broken(f"{path}.segment", *fault)
        return
    _check_durations(channel, SPARE * segment, path, report)


def _check_mode(channel: ChannelEntry, ladder: Ladder, path: str, report: FileReport) -> None:
    is_passed, is_encoded = isinstance(ladder, PassthroughLadder), isinstance(ladder, EncodeLadder)
    for place, source in placed_sources(channel, path):
        if isinstance(source, PatternSource) and not is_encoded:
            reason = f"{ladder.name!r} copies streams, and a test pattern has to be encoded"
            report.broken(f"{path}.ladder", reason, "use a ladder with mode: encode", place)
        if isinstance(source, CmafSource) and not is_passed:
            reason = f"{ladder.name!r} encodes, and a cmaf source brings a ready ladder"
            report.broken(f"{path}.ladder", reason, "use passthrough", place)


def _check_durations(channel: ChannelEntry, least: Fraction, path: str, report: FileReport) -> None:
    window, retention, segment = f"{path}.window", f"{path}.retention", f"{path}.segment"
    if channel.window < least:
        reason = (
            f"{format_duration(channel.window)} is less than {SPARE} segments, "
            f"{format_duration(least)}"
        )
        report.broken(window, reason, f"use {format_duration(least)} or more", segment)
    needed = channel.window + least
    if channel.retention < needed:
        reason = (
            f"{format_duration(channel.retention)} is less than the window and "
            f"{SPARE} segments, {format_duration(needed)}"
        )
        remedy = f"use {format_duration(needed)} or more"
        report.broken(retention, reason, remedy, window, segment)
