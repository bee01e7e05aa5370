import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.errors import FeedError
from packager.ffmpeg.hls import (
    AudioRenditionPlaylist,
    LivePlaylist,
    Variant,
    best_variant,
    hls_arguments,
    host_of,
    live_playlist,
    read_hls,
)

AT = "https://cdn.example/live/index.m3u8?token=t"
SOUND = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{}",NAME="n",LANGUAGE="{}",URI="{}"\n'
VARIANT = '#EXT-X-STREAM-INF:BANDWIDTH={},AUDIO="{}"\n{}\n'


def test_the_highest_variant_is_chosen_with_the_audio_of_its_group() -> None:
    text = (
        "#EXTM3U\n"
        + SOUND.format("a", "en", "a/en.m3u8")
        + SOUND.format("b", "en", "b/en.m3u8")
        + SOUND.format("b", "de", "//other.example/b/de.m3u8")
        + VARIANT.format(1000, "a", "low.m3u8")
        + VARIANT.format(3000, "b", "/high.m3u8")
        + VARIANT.format(2000, "a", "mid.m3u8")
    )
    assert best_variant(text, AT) == Variant(
        "https://cdn.example/high.m3u8",
        3000,
        (
            AudioRenditionPlaylist("https://cdn.example/live/b/en.m3u8", "en"),
            AudioRenditionPlaylist("https://other.example/b/de.m3u8", "de"),
        ),
    )


def test_a_media_playlist_is_its_own_variant() -> None:
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:41\n"
    text += "#EXTINF:6,\na.ts\n#EXTINF:6,\nb.ts\n"
    assert best_variant(text, AT) == Variant(AT)
    assert live_playlist(text, AT) == LivePlaylist(6.0, 42)


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "concat:http://a/b",
        "data:,x",
        "ftp://a/b",
        "a b",
        'a"b',
        "http://[",
        "\x7f",
    ],
)
def test_nothing_but_http_is_fetched(uri: str) -> None:
    segment = "#EXTM3U\n#EXTINF:6,\n{}\n"
    for text in (
        segment.format(uri),
        f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{uri}"\n#EXTINF:6,\na.ts\n'.replace('a"b', "a b"),
        f'#EXTM3U\n#EXT-X-MAP:URI="{uri}"\n#EXTINF:6,\na.ts\n'.replace('a"b', "a b"),
    ):
        with pytest.raises(FeedError, match="only http and https are fetched"):
            live_playlist(text, AT)
    with pytest.raises(FeedError, match="only http and https are fetched"):
        best_variant("#EXTM3U\n" + VARIANT.format(1, "a", uri), AT)


@given(
    st.lists(
        st.sampled_from(["#EXTM3U", "#EXT-X-KEY:", "#EXT-X-MEDIA:", "#EXT-X-STREAM-INF:"])
        | st.sampled_from(
            ["#EXTINF:", "#EXT-X-MAP:", "BANDWIDTH=", 'URI="x"', "\n", "1", "a.ts", ","]
        )
        | st.text(max_size=6)
    ).map("".join)
)
def test_any_text_is_a_playlist_or_refused_by_name(text: str) -> None:
    for read in (best_variant, live_playlist):
        try:
            read("#EXTM3U\n" + text, AT)
        except FeedError as error:
            assert "\n" not in str(error)


def test_ffmpeg_complains_without_tokens_and_without_our_playlist() -> None:
    line = "[https @ 0x5] [error] Opening 'https://a.example/b.ts?token=t' failed: HTTP error 403"
    assert read_hls(line) == "Opening 'https://a.example/b.ts' failed: HTTP error 403"
    line = line.replace("https://", "https://me:pass@")
    assert read_hls(line) == "Opening 'https://a.example/b.ts' failed: HTTP error 403"
    assert read_hls("[in#0 @ 0x5] [error] data:application/x;base64,AAA= is bad") == (
        "the playlist is bad"
    )
    assert read_hls("[info] Opening 'https://a.example/b.ts?token=t' for reading") is None


def test_ffmpeg_may_use_no_protocol_that_reads_files() -> None:
    words = hls_arguments(Variant(AT), 7, any_name=False)
    allowed = words[words.index("-protocol_whitelist") + 1].split(",")
    assert set(allowed) == {"data", "http", "https", "tcp", "tls", "crypto"}
    assert "-extension_picky" not in words


def test_a_host_is_shown_without_a_password() -> None:
    assert host_of("https://user:word@a.example:8443/b?c") == "a.example:8443"
