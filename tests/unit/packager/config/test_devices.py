"""Renditions that a device is offered."""

from fractions import Fraction

import msgspec
import pytest

from packager.config.devices import Device
from packager.config.parse import parse_config
from packager.track import Track
from tests.support.problems import lines_of
from tests.support.strategies import described

TRACKS = tuple(map(described, ("v0", "v1", "v2", "a0", "a1")))
"""Of 360, 180 and 90 lines; each has a lower bit rate than the one before."""


@pytest.mark.parametrize(
    ("device", "offered"),
    [
        (Device(), "v0 v1 v2"),
        (Device(latency="standard"), "v0 v1 v2"),
        (Device(max_height=360), "v0 v1 v2"),
        (Device(max_height=359), "v1 v2"),
        (Device(max_bitrate=999_000), "v1 v2"),
        (Device(max_frame_rate=Fraction(25)), "v0 v1 v2"),
        # No rendition fits: the one with the lowest bit rate is offered.
        (Device(max_frame_rate=Fraction(24)), "v2"),
        (Device(max_height=16), "v2"),
        (Device(max_height=180, max_bitrate=998_000), "v2"),
    ],
)
def test_renditions_within_the_limits_and_all_audio(device: Device, offered: str) -> None:
    assert device.chosen(TRACKS) == {*offered.split(), "a0", "a1"}


def test_an_unknown_frame_rate_excludes_no_rendition() -> None:
    unknown: Track = msgspec.structs.replace(TRACKS[0], frame_rate=None)
    assert Device(max_frame_rate=Fraction(10)).chosen([unknown, TRACKS[1]]) == {"v0"}


CONFIG = """
data: x
devices:
  old-tv: {latency: standard, max_height: 720, max_bitrate: 3.5M, max_frame_rate: 30}
channels:
  tv: {source: {type: pattern}, ladder: demo}
"""


def test_a_configuration_has_devices() -> None:
    device = Device(
        latency="standard", max_height=720, max_bitrate=3_500_000, max_frame_rate=Fraction(30)
    )
    assert parse_config(CONFIG, "x.yaml").devices == {"old-tv": device}


@pytest.mark.parametrize(
    ("good", "bad", "reason"),
    [
        ("old-tv", "Old", "devices.Old: a device's name has at most 32 of a-z, 0-9, - and _"),
        ("latency: standard", "latency: 200ms", "devices.old-tv.latency: "),
        ("latency: standard", "latency: soon", "devices.old-tv.latency: "),
        ("720", "0", "devices.old-tv.max_height: expected a number of lines from 16 to 16384,"),
        ("720", "720p", "devices.old-tv.max_height: expected a number of lines from 16 to 16384,"),
        ("3.5M", "1k", "devices.old-tv.max_bitrate: expected a bit rate from 8k on,"),
        ("3.5M", "fast", "devices.old-tv.max_bitrate: "),
        ("max_height", "height", "devices.old-tv.height: unknown key"),
    ],
)
def test_a_fault_of_a_device(good: str, bad: str, reason: str) -> None:
    (line,) = lines_of(lambda: parse_config(CONFIG.replace(good, bad), "x.yaml"))
    assert line.startswith(reason)
