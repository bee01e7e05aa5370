"""The manifests of finished media, as files beside it."""

from pathlib import Path

from packager.manifest.dash import mpd
from packager.manifest.hls import media, multivariant
from packager.manifest.window import Window


def write_manifests(window: Window, folder: Path) -> None:
    """Write HLS and DASH manifests that any file server can serve."""
    (folder / "index.m3u8").write_bytes(multivariant.render(window).plain())
    (folder / "index.mpd").write_bytes(mpd.render(window, mpd.UrlTemplates("time")).plain())
    for track in window.tracks:
        (folder / track.latest.id / "index.m3u8").write_bytes(media.render(window, track).plain())
