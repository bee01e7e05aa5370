"""The text of a planned manifest."""

from typing import assert_never

from origin.decision.plan import ServeManifest
from origin.urls.request import MPD_GOING_ON, SMOOTH, TIME, ManifestKind
from packager.manifest.dash import mpd, patch
from packager.manifest.hls import media, multivariant
from packager.manifest.incremental import ListCaches, ManifestText
from packager.manifest.smooth import client_manifest

CONTENT_TYPES = {
    ManifestKind.HLS_MULTIVARIANT: "application/vnd.apple.mpegurl",
    ManifestKind.HLS_MEDIA: "application/vnd.apple.mpegurl",
    ManifestKind.DASH: "application/dash+xml",
    ManifestKind.DASH_GOING_ON: "application/dash+xml",
    ManifestKind.DASH_PATCH: "application/dash-patch+xml",
    ManifestKind.SMOOTH: "text/xml",
}


def render(plan: ServeManifest, lists: ListCaches) -> ManifestText:
    """The manifest: equal for equal windows, whatever `lists` contains."""
    request = plan.request
    kind, up = request.kind, "../" * request.folder.count("/")
    match kind:
        case ManifestKind.HLS_MULTIVARIANT:
            return multivariant.render(plan.window)
        case ManifestKind.HLS_MEDIA:
            track = next(t for t in plan.window.tracks if t.latest.id == request.track)
            folder = f"{up}../{request.track}/" if up else ""
            return media.render(plan.window, track, folder, lists, skip=request.skip)
        case ManifestKind.DASH:
            return mpd.render(plan.window, mpd.UrlTemplates(f"{up}{TIME}", MPD_GOING_ON, up), lists)
        case ManifestKind.DASH_GOING_ON:
            templates = mpd.UrlTemplates(f"{up}{TIME}", MPD_GOING_ON, up)
            return mpd.render(plan.window, templates, lists, began_live=True)
        case ManifestKind.DASH_PATCH:
            return _patch(plan, mpd.UrlTemplates(f"{up}{TIME}", MPD_GOING_ON, up), lists)
        case ManifestKind.SMOOTH:
            folder = f"{up}../{SMOOTH}/" if up else ""
            return client_manifest.render(plan.window, folder, lists)
        case _:
            assert_never(kind)


def _patch(plan: ServeManifest, templates: mpd.UrlTemplates, lists: ListCaches) -> ManifestText:
    if plan.request.patch is None:
        raise AssertionError
    before = mpd.document(plan.before, templates) if plan.before is not None else None
    return patch.render(before, mpd.document(plan.window, templates), plan.request.patch, lists)
