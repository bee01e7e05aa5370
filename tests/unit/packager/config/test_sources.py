"""Descriptions of sources."""

from packager.config.sources import HlsSource, described, source_label


def test_a_description_has_no_user_password_or_query() -> None:
    url = "https://me:p@ss@cdn.example/live/@home/index.m3u8?token=t"
    assert described(HlsSource(url=url)) == "hls https://cdn.example/live/@home/index.m3u8"


def test_sources_count_from_1_for_people() -> None:
    assert [source_label(index, "rtmp") for index in (0, 1)] == [
        "source 1 (rtmp)",
        "source 2 (rtmp)",
    ]
