"""A planned manifest as text, in the words of its format."""

from typing import assert_never

from origin.plan import ServeManifest
from origin.request import MPD_GOING_ON, SMOOTH, TIME, ManifestKind
from packager.manifest.dash import mpd, patch
from packager.manifest.hls import media, multivariant
from packager.manifest.smooth import client_manifest
from packager.manifest.text import Tapes, Text

CONTENT_TYPES = {
    ManifestKind.HLS_MULTIVARIANT: "application/vnd.apple.mpegurl",
    ManifestKind.HLS_MEDIA: "application/vnd.apple.mpegurl",
    ManifestKind.DASH: "application/dash+xml",
    ManifestKind.DASH_GOING_ON: "application/dash+xml",
    ManifestKind.DASH_PATCH: "application/dash-patch+xml",
    ManifestKind.SMOOTH: "text/xml",
}


def render(plan: ServeManifest, tapes: Tapes) -> Text:
    """The manifest: equal for equal windows, whatever was written on `tapes`."""
    request = plan.request
    kind, up = request.kind, "../" * request.folder.count("/")
    match kind:
        case ManifestKind.HLS_MULTIVARIANT:
            return multivariant.render(plan.window)
        case ManifestKind.HLS_MEDIA:
            track = next(t for t in plan.window.tracks if t.latest.id == request.track)
            folder = f"{up}../{request.track}/" if up else ""
            return media.render(plan.window, track, folder, tapes, skip=request.skip)
        case ManifestKind.DASH:
            return mpd.render(plan.window, mpd.Places(f"{up}{TIME}", MPD_GOING_ON, up), tapes)
        case ManifestKind.DASH_GOING_ON:
            places = mpd.Places(f"{up}{TIME}", MPD_GOING_ON, up)
            return mpd.render(plan.window, places, tapes, began_live=True)
        case ManifestKind.DASH_PATCH:
            return _patch(plan, mpd.Places(f"{up}{TIME}", MPD_GOING_ON, up), tapes)
        case ManifestKind.SMOOTH:
            folder = f"{up}../{SMOOTH}/" if up else ""
            return client_manifest.render(plan.window, folder, tapes)
        case _:
            assert_never(kind)


def _patch(plan: ServeManifest, places: mpd.Places, tapes: Tapes) -> Text:
    if plan.request.patch is None:
        raise AssertionError
    before = mpd.document(plan.before, places) if plan.before is not None else None
    return patch.render(before, mpd.document(plan.window, places), plan.request.patch, tapes)
