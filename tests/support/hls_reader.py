"""The entries of an HLS media playlist, read from its text alone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One media segment of a playlist."""

    uri: str
    duration: str
    date: str
    gap: bool
    discontinuity: int
    init: str


def entries(text: str) -> dict[int, Entry]:
    """Media sequence number -> entry."""
    found: dict[int, Entry] = {}
    number = discontinuity = 0
    duration = date = init = ""
    gap = False
    for line in text.splitlines():
        tag, _, value = line.partition(":")
        if tag == "#EXT-X-MEDIA-SEQUENCE":
            number = int(value)
        elif tag == "#EXT-X-DISCONTINUITY-SEQUENCE":
            discontinuity = int(value)
        elif tag == "#EXT-X-DISCONTINUITY":
            discontinuity += 1
        elif tag == "#EXT-X-MAP":
            init = value
        elif tag == "#EXT-X-PROGRAM-DATE-TIME":
            date = value
        elif tag == "#EXT-X-GAP":
            gap = True
        elif tag == "#EXTINF":
            duration = value
        elif not line.startswith("#"):
            found[number] = Entry(line, duration, date, gap, discontinuity, init)
            number, gap, date = number + 1, False, ""
    return found
