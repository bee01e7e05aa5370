"""The browser tests' pattern channel: its newest segment, and waiting for it to grow."""

import re
from datetime import datetime

from tests.support.service import Service, fetch, wait_until

CHANNEL = "pattern"


TRACK = "360p"
WITHIN = 30.0
"""Seconds from the kill to a picture made after it."""


_DATE = "#EXT-X-PROGRAM-DATE-TIME:"


def playlist(service: Service) -> str:
    """The media playlist; empty until the origin serves one."""
    try:
        answer = fetch(f"{service.live(CHANNEL)}/{TRACK}/index.m3u8")
    except OSError:
        return ""
    return answer.text if answer.status == 200 else ""


def newest(service: Service) -> int:
    """The number of the newest segment; 0 while there is no playlist."""
    numbers = re.findall(r"^(\d+)\.m4s$", playlist(service), re.MULTILINE)
    return int(numbers[-1]) if numbers else 0


def wait_for_mid_segment(service: Service) -> int:
    """Wait until a segment has just begun, so that a kill cuts it; the newest whole number."""
    before = newest(service)
    edge = wait_until(lambda: max(newest(service) - before, 0) and newest(service), "a segment")
    begun = f"{service.live(CHANNEL)}/{TRACK}/{edge + 1}.0.m4s"
    wait_until(lambda: fetch(begun).status == 200, "the first chunk of the next", 5)
    return edge


def wait_for_growth(service: Service, edge: int) -> float:
    """Wait for two more segments; the start of the last period in milliseconds."""
    wait_until(lambda: newest(service) >= edge + 3, "segments after the kill", WITHIN)
    text = playlist(service)
    after = text.rpartition("#EXT-X-DISCONTINUITY\n")[2]
    date = next(line for line in after.splitlines() if line.startswith(_DATE))
    return datetime.fromisoformat(date.removeprefix(_DATE)).timestamp() * 1000
