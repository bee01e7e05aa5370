"""The fragments of a client manifest, read from its text alone."""

from collections.abc import Iterator

from lxml import etree

from packager.manifest.smooth import client_manifest
from packager.manifest.window import Window, WindowTrack
from packager.track import TrackKind
from tests.support.windows import (
    current,
)


def document(window: Window) -> etree._Element:
    return etree.fromstring(client_manifest.render(window).plain())


def unrolled(stream: etree._Element) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for entry in stream.iter("c"):
        duration = int(entry.get("d", ""))
        start = int(entry.get("t", found[-1][0] + found[-1][1] if found else -1))
        for _ in range(int(entry.get("r", "1"))):
            found.append((start, duration))
            start += duration
    return found


def streams(window: Window) -> Iterator[tuple[TrackKind, etree._Element]]:
    for stream in document(window).iter("StreamIndex"):
        yield TrackKind(stream.get("Type", "")), stream


def shown(window: Window, kind: TrackKind) -> list[WindowTrack]:
    """The tracks in a client manifest: all audio, and video with the most fragments."""
    held_back = 0 if window.ended else 1
    found = current(window, kind, held_back=held_back)
    numbers = {
        t.latest.id: [s.number for s in t.segments][: len(t.segments) - held_back] for t in found
    }
    most = max(numbers.values(), key=len, default=[])
    return [t for t in found if kind is TrackKind.AUDIO or numbers[t.latest.id] == most]
