"""The text form of faults, as on the command line.

    loss=0.5%, loss=0.5%x10              packets lost, alone or ten in a row
    stall=10s+3s, stall=10s+3s,lost      no bytes for 3 s from 10 s on, then all or none of them
    jump=20s+3600s, jump=20s-10s         timestamps jump at 20 s, forward or backward
    jump=20s-8s,audio                    those of the audio, or of the video, alone
    wrap=5s                              the counter of timestamps wraps at 5 s
    reconnect=10s+8s                     the connection ends at 10 s and resumes 8 s later,
    reconnect=10s+8s,restart             with timestamps that restart,
    reconnect=10s+8s,absurd              or begin at 20 hours
    drift=100ppm, drift=-100ppm          the encoder's clock is fast, or slow
    mute=10s                             no audio from 10 s on
    skew=250ms                           the whole feed is late

0s is the start of the feed.
"""

import re
from fractions import Fraction

from packager.config.quantities import parse_duration, quoted
from packager.impairment.faults import (
    DriftFault,
    Fault,
    JumpFault,
    LossFault,
    MuteFault,
    SkewFault,
    StallFault,
    WrapFault,
)
from packager.impairment.reconnect import ReconnectFault, RestartClock
from packager.track import TrackKind

_SPANS = re.compile(r"([^+,-]+)([+-])([^+,-]+)(?:,([a-z]+))?")
_LOSS = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%(?:x([1-9][0-9]{0,3}))?")
_DRIFT = re.compile(r"(-?[0-9]{1,6})ppm")
_MAX_PPM = 100_000
_MAX_DURATION = Fraction(7 * 24 * 3600)
"""Seconds."""

_FORMS = {
    "loss": "loss=0.5% or loss=0.5%x10",
    "stall": "stall=10s+3s or stall=10s+3s,lost",
    "jump": "jump=20s+3600s or jump=20s-10s, with ,audio or ,video for one of them",
    "wrap": "wrap=5s",
    "reconnect": "reconnect=10s+8s, with ,restart or ,absurd for its timestamps",
    "drift": "drift=100ppm or drift=-100ppm",
    "mute": "mute=10s",
    "skew": "skew=250ms",
}


def parse_fault(text: str) -> Fault:
    """The fault in `text`.

    Raises:
        ValueError: `text` is not a fault.
    """
    name, equals, value = text.partition("=")
    if name not in _FORMS or not equals:
        raise ValueError(f"not a fault: {quoted(text)} (known faults: {', '.join(_FORMS)})")
    try:
        fault = _fault(name, value)
    except ValueError as error:
        raise ValueError(f"{quoted(text)}: {error} (write {_FORMS[name]})") from None
    if fault is None:
        raise ValueError(f"not a fault: {quoted(text)} (write {_FORMS[name]})")
    return fault


def _fault(name: str, value: str) -> Fault | None:
    match name:
        case "loss":
            return _loss(value)
        case "drift":
            return _drift(value)
        case "wrap":
            return WrapFault(_instant(value))
        case "mute":
            return MuteFault(_instant(value))
        case "skew":
            return SkewFault(_instant(value))
        case _:
            return _spans(name, value)


def _loss(value: str) -> LossFault | None:
    if (match := _LOSS.fullmatch(value)) is None:
        return None
    share = Fraction(match[1]) / 100
    if share > 1:
        raise ValueError("more than 100%")
    return LossFault(share, int(match[2] or 1))


def _drift(value: str) -> DriftFault | None:
    if (match := _DRIFT.fullmatch(value)) is None:
        return None
    if abs(ppm := int(match[1])) > _MAX_PPM:
        raise ValueError(f"more than {_MAX_PPM} ppm")
    return DriftFault(ppm)


def _spans(name: str, value: str) -> Fault | None:
    """A fault with an instant and a duration."""
    if (match := _SPANS.fullmatch(value)) is None:
        return None
    at, lasts = _instant(match[1]), _instant(match[3])
    word = match[4]
    if name == "jump" and word in (None, *TrackKind):
        only = None if word is None else TrackKind(word)
        return JumpFault(at, lasts if match[2] == "+" else -lasts, only)
    if match[2] == "-":
        return None
    if name == "stall" and word in (None, "lost"):
        return StallFault(at, lasts, lost=word == "lost")
    if name == "reconnect" and word in (None, *RestartClock):
        return ReconnectFault(
            at, lasts, RestartClock.CONTINUE if word is None else RestartClock(word)
        )
    return None


def _instant(text: str) -> Fraction:
    seconds = Fraction(0) if text == "0s" else parse_duration(text)
    if seconds > _MAX_DURATION:
        raise ValueError("more than a week")
    return seconds
