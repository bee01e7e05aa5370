"""The manifests of what is over, as files beside its media."""

from pathlib import Path

from packager.manifest.dash import mpd
from packager.manifest.hls import media, multivariant
from packager.window import Window


def write_manifests(window: Window, folder: Path) -> None:
    """Write HLS and DASH: any file server will do."""
    (folder / "index.m3u8").write_bytes(multivariant.render(window).plain())
    (folder / "index.mpd").write_bytes(mpd.render(window, mpd.Places("time")).plain())
    for track in window.tracks:
        (folder / track.latest.id / "index.m3u8").write_bytes(media.render(window, track).plain())
