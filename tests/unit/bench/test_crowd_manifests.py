"""What the viewers of the load test read is what the packager writes."""

from bench.flash_crowd import manifests
from packager.journal.format import VERSION
from packager.layout import PatchName
from packager.manifest.dash import mpd, patch
from packager.manifest.hls import media, multivariant
from packager.manifest.incremental import ListCaches
from packager.manifest.smooth import client_manifest
from packager.manifest.window import Window, rolling, stretch
from packager.timeline.apply import fold
from packager.timeline.model import Timeline
from packager.timeline.records import JournalHeader
from packager.timing.smooth_time import smooth_time
from tests.support.channel import FIRST, GRID, Script

SCRIPT = Script(GRID)
URL = "http://edge/live/tv/event/fight/"
PLACES = mpd.UrlTemplates("../../time", "live.mpd", "../../")


def after(segments: int) -> Timeline:
    numbers = range(FIRST, FIRST + segments)
    return fold(
        [
            JournalHeader(VERSION, "tv", GRID.duration),
            *SCRIPT.period(0, FIRST),
            *SCRIPT.whole(*numbers),
        ]
    )


def event(segments: int) -> Window:
    window = stretch(after(segments), FIRST, FIRST + segments - 1, ended=False, stays=True)
    assert window is not None
    return window


def test_a_playlist_and_a_delta_update_of_it() -> None:
    window = event(90)
    track = window.tracks[0]
    whole, delta = (
        manifests.media_playlist(
            media.render(window, track, "../../../v0/", skip=skip).plain().decode(),
            f"{URL}v0/index.m3u8",
        )
        for skip in (False, True)
    )
    assert (whole.first, whole.newest, whole.target) == (FIRST, FIRST + 89, 2)
    assert whole.segment == 1.92
    assert whole.skips
    assert not whole.ended
    assert whole.url(FIRST) == f"http://edge/live/tv/v0/{FIRST}.m4s"
    assert whole.init.startswith("http://edge/live/tv/v0/init-")
    assert delta.newest == whole.newest
    assert delta.first > whole.first
    assert delta.url(delta.first) == whole.url(delta.first)
    assert delta.url(FIRST) == ""


def test_a_multivariant_playlist() -> None:
    text = multivariant.render(event(5)).plain().decode()
    renditions, audio = manifests.multivariant(text, f"{URL}index.m3u8")
    assert renditions == [f"{URL}v0/index.m3u8"]
    assert audio == f"{URL}a0/index.m3u8"


def test_an_mpd_and_its_patch() -> None:
    before, later = event(5), event(6)
    shown = manifests.mpd(mpd.render(before, PLACES).plain(), f"{URL}index.mpd")
    assert shown.newest == shown.audio.newest == FIRST + 4
    assert shown.renditions[0].url(FIRST) == f"http://edge/live/tv/v0/{FIRST}.m4s"
    assert shown.audio.init.startswith("http://edge/live/tv/a0/init-")
    assert shown.again == f"{URL}live.mpd"
    assert shown.clock == "http://edge/live/tv/time"
    assert (shown.update, shown.ended) == (1.92, False)
    tapes = ListCaches()
    documents = [mpd.document(window, PLACES) for window in (before, later)]
    name: PatchName = documents[0].name(tapes)
    assert shown.patch == f"{URL}{name}"
    found = manifests.patch(patch.render(*documents, name, tapes).plain(), shown.patch)
    assert found.original == shown.published
    assert found.newest == FIRST + 5
    assert found.after == f"{URL}{documents[1].name(tapes)}"


def test_a_rolling_mpd_has_no_patches() -> None:
    window = rolling(after(5), 4)
    assert window is not None
    shown = manifests.mpd(
        mpd.render(window, mpd.UrlTemplates("time")).plain(), "http://edge/live/tv/"
    )
    assert (shown.patch, shown.audio.first, shown.newest) == ("", FIRST + 1, FIRST + 4)


def test_a_client_manifest() -> None:
    text = client_manifest.render(event(5), "../../../index.ism/").plain()
    streams = manifests.client_manifest(text, f"{URL}index.ism/Manifest")
    assert set(streams) == {"video", "audio"}
    video = streams["video"]
    scale = event(5).tracks[0].latest.timescale
    times = [smooth_time(GRID.boundary(FIRST + n, scale), scale) for n in range(4)]
    assert list(video.times) == times
    assert video.duration == 1.92
    rate = video.bit_rates[0]
    wanted = f"index.ism/QualityLevels({rate})/Fragments(video={times[0]})"
    assert video.url(rate, times[0]) == f"http://edge/live/tv/{wanted}"
