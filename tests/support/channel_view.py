"""All media of a channel with a tiny ladder, in three formats, with its flashes and beeps."""

from dataclasses import dataclass
from fractions import Fraction

import m3u8

from tests.paths import ROOT
from tests.support import flashes
from tests.support import manifest_reader as reader
from tests.support.service import Service, fetch

TINY = f"{ROOT}/tests/support/tiny.yaml"
D = Fraction(48, 25)
"""Seconds of a segment."""
TRACKS = ("90p", "72p", "audio")


@dataclass
class Seen:
    """The start-over view of all that a channel has."""

    view: str
    hls: dict[str, reader.Playlist]
    dash: list[reader.Period]
    smooth: dict[str, list[reader.Fragment]]
    flashes: list[Fraction]
    beeps: list[Fraction]

    @property
    def newest(self) -> list[reader.Piece]:
        """The pictures of the newest period."""
        lead = self.hls[TRACKS[0]]
        return [piece for piece in lead.media if piece.number >= max([0, *lead.breaks])]


def see(running: Service, channel: str) -> Seen:
    """The media of a channel from the beginning of its window on."""
    live = m3u8.loads(fetch(f"{running.live(channel)}/{TRACKS[0]}/index.m3u8").text)
    start = float(live.media_sequence * D)
    return see_view(running, channel, f"from/{start:.3f}".rstrip("0").rstrip("."))


def see_view(running: Service, channel: str, view: str) -> Seen:
    """The media of a view, such as `from/…`."""
    base = running.live(channel)
    view = f"{base}/{view}"
    texts = {name: fetch(f"{view}/{name}/index.m3u8").text for name in TRACKS}
    found = {name: reader.hls(text) for name, text in texts.items()}
    onsets = []
    for name, listed in found.items():
        (init,) = {s.init_section.uri for s in m3u8.loads(texts[name]).segments if s.init_section}
        head = fetch(f"{base}/{name}/{init.rpartition('/')[2]}").body
        media = [fetch(f"{base}/{name}/{piece.number}.m4s").body for piece in listed.media]
        onsets.append((flashes.of_sound if name == "audio" else flashes.of_picture)(head, media))
    assert onsets[0] == onsets[1], "renditions are not alike"
    dash = reader.dash(fetch(f"{view}/index.mpd").body)
    smooth = reader.smooth(fetch(f"{view}/index.ism/Manifest").body)
    return Seen(view, found, dash, smooth, onsets[0], onsets[2])
