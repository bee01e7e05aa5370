"""A planned manifest as bytes, in the words of its format."""

from typing import assert_never

from origin.plan import ServeManifest
from origin.request import TIME, ManifestKind
from packager.manifest.dash import mpd
from packager.manifest.hls import media, multivariant
from packager.manifest.smooth import client_manifest

CONTENT_TYPES = {
    ManifestKind.HLS_MULTIVARIANT: "application/vnd.apple.mpegurl",
    ManifestKind.HLS_MEDIA: "application/vnd.apple.mpegurl",
    ManifestKind.DASH: "application/dash+xml",
    ManifestKind.SMOOTH: "text/xml",
}


def render(plan: ServeManifest) -> bytes:
    """The manifest's bytes: equal for equal windows."""
    kind = plan.request.kind
    match kind:
        case ManifestKind.HLS_MULTIVARIANT:
            return multivariant.render(plan.window)
        case ManifestKind.HLS_MEDIA:
            track = next(t for t in plan.window.tracks if t.latest.id == plan.request.track)
            return media.render(plan.window, track)
        case ManifestKind.DASH:
            return mpd.render(plan.window, TIME)
        case ManifestKind.SMOOTH:
            return client_manifest.render(plan.window)
        case _:
            assert_never(kind)
