import string
from dataclasses import replace
from typing import assert_never, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from origin.urls.request import (
    MAX_PATH,
    BadTarget,
    HealthCheck,
    Manifest,
    ManifestKind,
    MediaObject,
    Request,
    SmoothFragment,
    StretchRedirect,
    TimeOfDay,
    UnknownTarget,
    parse,
)
from packager.layout import ChunkName, InitName, MediaName, PatchName, SegmentName
from packager.track import TrackKind
from tests.support.strategies import described

NAMES = st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,31}\Z")
NUMBERS = st.integers(0, 10**15 - 1)
MEDIA: st.SearchStrategy[MediaName] = st.one_of(
    st.builds(InitName, st.from_regex(r"\A[0-9a-f]{8}\Z")),
    st.builds(SegmentName, NUMBERS),
    st.builds(ChunkName, NUMBERS, st.integers(0, 10**6 - 1)),
)
OF_A_CHANNEL = sorted(set(ManifestKind) - {ManifestKind.HLS_MEDIA, ManifestKind.DASH_PATCH})
PATCHES = st.builds(PatchName, NUMBERS, st.from_regex(r"\A[0-9a-f]{16}\Z"))

named: st.SearchStrategy[Request] = st.one_of(
    st.builds(Manifest, NAMES, st.sampled_from(OF_A_CHANNEL)),
    st.builds(Manifest, NAMES, st.just(ManifestKind.HLS_MEDIA), NAMES),
    st.builds(Manifest, NAMES, st.just(ManifestKind.DASH_PATCH), patch=PATCHES),
    st.builds(MediaObject, NAMES, NAMES, MEDIA),
    st.builds(
        SmoothFragment,
        NAMES,
        st.integers(0, 10**12 - 1),
        st.sampled_from(TrackKind),
        st.integers(0, 10**18 - 1),
    ),
    st.just(TimeOfDay()),
    st.just(HealthCheck()),
)

pieces = st.sampled_from(
    [
        *["", "/", ".", "..", "live", "tv", "v0", "index.m3u8", "index.mpd", "index.ism", "time"],
        *["Manifest", "manifest", "healthz", "init-00000000.mp4", "init-0.mp4", "1.m4s", "01.m4s"],
        *["1.2.m4s", "-1.m4s", "٣.m4s", "QualityLevels(1)", "QualityLevels(٣)", "TV", "\0", "\n"],
        *[
            "%2F",
            "%76",
            "Fragments(video=1)",
            "Fragments(text=1)",
            "Fragments(audio=-1)",
            "%2e%2e",
            "\udcff",
        ],
    ]
)
likely_paths = st.lists(st.one_of(pieces, st.text(max_size=4)), max_size=7).map(
    lambda parts: "/" + "/".join(parts)
)


def spelled(request: Request) -> str:
    """The path of a request, as the URL contract writes it."""
    match request:
        case Manifest(channel, ManifestKind.HLS_MULTIVARIANT):
            return f"/live/{channel}/index.m3u8"
        case Manifest(channel, ManifestKind.HLS_MEDIA, track):
            return f"/live/{channel}/{track}/index.m3u8"
        case Manifest(channel, ManifestKind.DASH):
            return f"/live/{channel}/index.mpd"
        case Manifest(channel, ManifestKind.DASH_GOING_ON):
            return f"/live/{channel}/live.mpd"
        case Manifest(channel, ManifestKind.DASH_PATCH, patch=patch):
            return f"/live/{channel}/{patch}"
        case Manifest(channel):
            return f"/live/{channel}/index.ism/Manifest"
        case MediaObject(channel, track, name):
            return f"/live/{channel}/{track}/{name}"
        case SmoothFragment(channel, bitrate, kind, time):
            level = f"/live/{channel}/index.ism/QualityLevels({bitrate})"
            return f"{level}/Fragments({kind}={time})"
        case TimeOfDay():
            return "/live/tv/time"
        case HealthCheck():
            return "/healthz"
        case BadTarget() | UnknownTarget() | StretchRedirect():
            raise AssertionError(request)
        case _:
            assert_never(request)


@given(named)
def test_a_written_request_is_parsed_back(request: Request) -> None:
    assert parse(spelled(request)) == request


@given(named, NAMES)
def test_a_manifest_is_there_for_each_device(request: Request, device: str) -> None:
    """Media is not: it is there once."""
    _, live, channel, *file = spelled(request).split("/") if request != HealthCheck() else [""] * 3
    found = parse("/".join(["", live, channel, "as", device, *file]))
    if isinstance(request, Manifest):
        assert found == replace(request, device=device)
        assert found.folder == f"as/{device}/"
    else:
        assert isinstance(found, UnknownTarget)


@pytest.mark.parametrize("name", ["", "TV", "-tv", "a" * 33, "%74v", ".."])
def test_an_invalid_device_name_is_a_bad_target(name: str) -> None:
    assert isinstance(parse(f"/live/tv/as/{name}/index.mpd"), BadTarget)


def test_a_device_stands_before_a_view() -> None:
    request = parse("/live/tv/as/box/from/12/to/20.5/v0/index.m3u8")
    assert isinstance(request, Manifest)
    assert (request.device, request.folder) == ("box", "as/box/from/12/to/20.5/")
    assert isinstance(parse("/live/tv/from/12/as/box/index.mpd"), UnknownTarget)


@given(likely_paths)
def test_media_has_one_path(path: str) -> None:
    request = parse(path)
    if isinstance(request, Manifest | MediaObject | HealthCheck):
        assert spelled(request) == path


# Some Smooth clients percent-encode characters that do not need it.
@pytest.mark.parametrize(("left", "right", "equals"), [("%28", "%29", "%3D"), ("(", "%29", "%3d")])
def test_a_fragment_has_two_spellings(left: str, right: str, equals: str) -> None:
    request = SmoothFragment("tv", 1_000_000, TrackKind.VIDEO, 12)
    path = spelled(request).replace("(", left).replace(")", right).replace("=", equals)
    assert parse(path) == request


@pytest.mark.parametrize("path", ["%2E", "%2F", "%252E", "%28", "%4D", "%6e"])
@pytest.mark.parametrize("request_", [HealthCheck(), Manifest("tv", ManifestKind.SMOOTH)])
def test_other_requests_have_no_encoded_spelling(request_: Request, path: str) -> None:
    whole = spelled(request_)
    for at in range(1, len(whole)):
        assert isinstance(parse(whole[:at] + path + whole[at + 1 :]), BadTarget | UnknownTarget)


@given(st.one_of(st.text(), likely_paths, st.text(min_size=MAX_PATH, max_size=MAX_PATH + 9)))
@example("")
@example("/")
@example("*")
@example("live/tv/index.m3u8")
@example("/live/tv/index.ism/QualityLevels(" + "9" * 400 + ")/Fragments(video=1)")
def test_any_text_is_a_request(path: str) -> None:
    assert isinstance(parse(path), get_args(Request))


@given(likely_paths)
def test_a_name_that_is_let_in_is_one_folder(path: str) -> None:
    request = parse(path)
    allowed = set(string.ascii_lowercase + string.digits + "-_")
    names = [getattr(request, "channel", "x"), getattr(request, "track", "") or "x"]
    for name in names:
        assert 0 < len(name) <= 32
        assert set(name) <= allowed
    if isinstance(request, MediaObject):
        assert set(str(request.name)) <= allowed | {"."}
        assert ".." not in str(request.name)


@given(likely_paths)
def test_a_reason_is_one_plain_line(path: str) -> None:
    request = parse(path)
    if isinstance(request, BadTarget):
        assert request.reason.isascii()
        assert request.reason.isprintable()


def test_the_longest_names_fit() -> None:
    longest = "a" * 32
    for name in (InitName("0" * 8), SegmentName(10**15 - 1), ChunkName(10**15 - 1, 10**6 - 1)):
        media = MediaObject(longest, longest, name)
        assert parse(spelled(media)) == media
        assert len(spelled(media)) <= MAX_PATH


@pytest.mark.parametrize("name", ["v0", "v1", "a0"])
def test_a_quality_level_is_a_track_s_bit_rate(name: str) -> None:
    track = described(name)
    request = SmoothFragment("tv", track.bitrate, track.kind, 2_000_000_000_000_000)
    assert parse(spelled(request)) == request


@pytest.mark.parametrize("length", [MAX_PATH, MAX_PATH + 1])
def test_a_path_has_an_end(length: int) -> None:
    path = "/live/tv/v0/".ljust(length, "x")
    assert isinstance(parse(path), BadTarget) == (length > MAX_PATH)


NO_CHANNEL = ["", ".", "..", "TV", "-tv", "tv ", "t\0v", "tv\n", "é", "a" * 33, "%74v", "~"]


@pytest.mark.parametrize("name", NO_CHANNEL)
@pytest.mark.parametrize("file", ["index.m3u8", "index.mpd", "index.ism/Manifest", "time"])
def test_an_invalid_channel_name_is_a_bad_target(name: str, file: str) -> None:
    assert isinstance(parse(f"/live/{name}/{file}"), BadTarget)


@pytest.mark.parametrize("name", NO_CHANNEL)
def test_an_invalid_track_name_is_a_bad_target(name: str) -> None:
    assert isinstance(parse(f"/live/tv/{name}/1.m4s"), BadTarget)
    assert isinstance(parse(f"/live/tv/{name}/index.m3u8"), BadTarget)


@pytest.mark.parametrize(
    "file",
    [
        *["01.m4s", "-1.m4s", "+1.m4s", "1.-1.m4s", "1.02.m4s", "1.2.3.m4s", ".m4s", "1..m4s"],
        *["x.m4s", "٣.m4s", " 1.m4s", "1e3.m4s", "1_0.m4s", "9999999999999999.m4s"],
        *["1.1000000.m4s", "init.mp4", "init-1.mp4", "init-0000000G.mp4", "init-ABCDEF01.mp4"],
        *["init-00000000.m4s", "v0.mp4"],
    ],
)
def test_an_invalid_media_file_is_a_bad_target(file: str) -> None:
    assert isinstance(parse(f"/live/tv/v0/{file}"), BadTarget)


@pytest.mark.parametrize(
    "rest",
    [
        *["", "/", "/manifest", "/Manifest/", "/QualityLevels(1)", "/QualityLevels(1)/"],
        *["/QualityLevels()/Fragments(video=1)", "/QualityLevels(1)/Fragments(video=)"],
        *["/QualityLevels(-1)/Fragments(video=1)", "/QualityLevels(1)/Fragments(video=-1)"],
        *["/QualityLevels(1)/Fragments(text=1)", "/QualityLevels(1)/Fragments(Video=1)"],
        *["/QualityLevels(1)/Fragments(video=1)x", "/QualityLevels(٣)/Fragments(video=1)"],
        *["/QualityLevels(1)/Fragments(video=1)\n", "/QualityLevels(1.5)/Fragments(video=1)"],
        "/QualityLevels(1000000000000)/Fragments(video=1)",
        "/QualityLevels(1)/Fragments(video=1000000000000000000)",
    ],
)
def test_an_invalid_fragment_is_a_bad_target(rest: str) -> None:
    assert isinstance(parse(f"/live/tv/index.ism{rest}"), BadTarget)


@pytest.mark.parametrize(
    "path",
    [
        *["", "/", "*", "/live", "/live/", "/live/tv", "/live/tv/", "/live/tv/v0/", "/live/tv/x"],
        *["/live/tv/v0/journal", "/live/tv/journal", "/live/tv/status.json", "/dead/tv/index.mpd"],
        *["/live/tv/v0/1.m4s/", "/live/tv/v0/x/1.m4s", "//live/tv/index.m3u8", "/healthz/"],
        *["/live/tv/time/", "/LIVE/tv/index.mpd", "x/live/tv/index.mpd"],
    ],
)
def test_a_path_outside_the_contract_is_an_unknown_target(path: str) -> None:
    assert parse(path) == UnknownTarget()


@pytest.mark.parametrize(
    ("query", "skip"),
    [
        ("_HLS_skip=YES", True),
        ("_HLS_skip=v2", True),
        ("x=1&_HLS_skip=YES", True),
        ("_HLS_skip=NO", False),
        ("_HLS_skip=", False),
        ("_hls_skip=YES", False),
    ],
)
def test_a_delta_update_is_asked_for_at_media_playlists_alone(query: str, *, skip: bool) -> None:
    found = parse("/live/tv/from/1/v0/index.m3u8", query)
    assert isinstance(found, Manifest)
    assert found.skip == skip
    for file in ("index.m3u8", "index.mpd", "index.ism/Manifest"):
        assert parse(f"/live/tv/{file}", query) == parse(f"/live/tv/{file}")


@pytest.mark.parametrize(
    "file",
    [
        "patch-1.mpp",
        "patch-01-0123456789abcdef.mpp",
        "patch-1-0123456789ABCDEF.mpp",
        "patch-1-0123456789abcde.mpp",
        "patch--1-0123456789abcdef.mpp",
    ],
)
def test_an_invalid_patch_is_an_unknown_target(file: str) -> None:
    assert parse(f"/live/tv/{file}") == UnknownTarget()


@pytest.mark.parametrize("query", ["end=5", "start=9999999999.9", "start=1&end=9999999999"])
def test_an_invalid_query_is_a_bad_target(query: str) -> None:
    assert isinstance(parse("/live/tv/index.mpd", query), BadTarget)
