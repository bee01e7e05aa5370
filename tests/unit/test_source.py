"""What is said of sources."""

from packager.source import HlsSource, described


def test_nothing_secret_is_said_of_an_address() -> None:
    url = "https://me:p@ss@cdn.example/live/@home/index.m3u8?token=t"
    assert described(HlsSource(url=url)) == "hls https://cdn.example/live/@home/index.m3u8"
