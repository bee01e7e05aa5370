import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.cmaf_ingest.track_names import place_of_init, places_of_media, track_id
from packager.layout import RESERVED
from packager.track import TRACK_ID


@pytest.mark.parametrize(
    ("init", "media", "track"),
    [
        ("Streams(video.cmfv)", "Streams(video.cmfv)", "video"),
        (
            "/live.isml/Streams(v-1280x720.cmfv)",
            "live.isml//Streams(v-1280x720.cmfv)",
            "v-1280x720",
        ),
        ("Switching(1)/Streams(v1)", "Switching(1)/Streams(v1)", "v1"),
        ("init-stream0.m4s", "chunk-stream0-00017.m4s", "stream0"),
        ("init-0.cmfv", "chunk-0-1.cmfv", "0"),
        ("v1/init.mp4", "v1/17.m4s", "v1"),
        ("v1/init.mp4", "v1/segment-17.m4s", "v1"),
        ("event/v1_init.cmfv", "event/v1_1795548327.cmfv", "v1"),
        ("video-1.cmfv", "video-1.cmfv", "video-1"),
        ("video-1.cmfv", "chunk-video-1-5.cmfv", "video-1"),
        ("chunk-v1-5.mp4", "chunk-v1-6.mp4", "v1"),
        ("Video 1080p.cmfv", "Video 1080p.cmfv", "video-1080p"),
    ],
)
def test_one_track_by_both(init: str, media: str, track: str) -> None:
    place = place_of_init(init)
    assert place.track == track
    assert place in list(places_of_media(media))


def test_a_number_is_not_taken_off_a_track_that_has_it() -> None:
    first = next(places_of_media("video-1.cmfv"))
    assert first.track == "video-1"


def test_each_encoder_has_its_own_folder() -> None:
    assert place_of_init("a/Streams(v.cmfv)").prefix == "a"
    assert place_of_init("b/v/init.mp4").prefix == "b"


def test_long_names_stay_apart() -> None:
    one, two = (track_id(f"{'x' * 40}{n}") for n in (1, 2))
    assert one != two


@given(st.text(max_size=60))
def test_any_name_is_made_a_track_id(name: str) -> None:
    made = track_id(name)
    assert TRACK_ID.fullmatch(made)
    assert made not in RESERVED


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_any_path_is_of_some_track(path: str) -> None:
    assert TRACK_ID.fullmatch(place_of_init(path).track)
    assert all(TRACK_ID.fullmatch(place.track) for place in places_of_media(path))
