"""Faults as people write them.

    loss=0.5%, loss=0.5%x10              packets lost, alone or ten in a row
    stall=10s+3s, stall=10s+3s,lost      from 10 s on nothing for 3 s, then all of it or none
    jump=20s+3600s, jump=20s-10s         timestamps jump at 20 s, ahead or back
    wrap=5s                              the counter of timestamps wraps at 5 s
    reconnect=10s+8s                     the connection ends at 10 s and is back 8 s later,
    reconnect=10s+8s,restart             with timestamps that begin anew,
    reconnect=10s+8s,absurd              or are 20 hours
    drift=100ppm, drift=-100ppm          the encoder's clock is fast, or slow
    mute=10s                             no sound from 10 s on
    skew=250ms                           all of it late

0s is the beginning.
"""

import re
from fractions import Fraction

from packager.feed.faults import Drift, Fault, Jump, Loss, Mute, Skew, Stall, Wrap
from packager.feed.reconnect import Clock, Reconnect
from packager.units import parse_duration, quoted

_SPANS = re.compile(r"([^+,-]+)([+-])([^+,-]+)(?:,([a-z]+))?")
_LOSS = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%(?:x([1-9][0-9]{0,3}))?")
_DRIFT = re.compile(r"(-?[0-9]{1,6})ppm")
_MOST_PPM = 100_000
_MOST = Fraction(7 * 24 * 3600)
"""Seconds."""

_FORMS = {
    "loss": "loss=0.5% or loss=0.5%x10",
    "stall": "stall=10s+3s or stall=10s+3s,lost",
    "jump": "jump=20s+3600s or jump=20s-10s",
    "wrap": "wrap=5s",
    "reconnect": "reconnect=10s+8s, with ,restart or ,absurd for its timestamps",
    "drift": "drift=100ppm or drift=-100ppm",
    "mute": "mute=10s",
    "skew": "skew=250ms",
}


def parse_fault(text: str) -> Fault:
    """The fault that `text` names.

    Raises:
        ValueError: none.
    """
    name, equals, value = text.partition("=")
    if name not in _FORMS or not equals:
        raise ValueError(f"not a fault: {quoted(text)} (there are {', '.join(_FORMS)})")
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
            return Wrap(_instant(value))
        case "mute":
            return Mute(_instant(value))
        case "skew":
            return Skew(_instant(value))
        case _:
            return _spans(name, value)


def _loss(value: str) -> Loss | None:
    if (match := _LOSS.fullmatch(value)) is None:
        return None
    share = Fraction(match[1]) / 100
    if share > 1:
        raise ValueError("more than all of it")
    return Loss(share, int(match[2] or 1))


def _drift(value: str) -> Drift | None:
    if (match := _DRIFT.fullmatch(value)) is None:
        return None
    if abs(ppm := int(match[1])) > _MOST_PPM:
        raise ValueError(f"more than {_MOST_PPM} ppm")
    return Drift(ppm)


def _spans(name: str, value: str) -> Fault | None:
    """The faults of an instant and a duration."""
    if (match := _SPANS.fullmatch(value)) is None:
        return None
    at, lasts = _instant(match[1]), _instant(match[3])
    word = match[4]
    if name == "jump" and word is None:
        return Jump(at, lasts if match[2] == "+" else -lasts)
    if match[2] == "-":
        return None
    if name == "stall" and word in (None, "lost"):
        return Stall(at, lasts, lost=word == "lost")
    if name == "reconnect" and word in (None, *Clock):
        return Reconnect(at, lasts, Clock.CONTINUE if word is None else Clock(word))
    return None


def _instant(text: str) -> Fraction:
    seconds = Fraction(0) if text == "0s" else parse_duration(text)
    if seconds > _MOST:
        raise ValueError("more than a week")
    return seconds
