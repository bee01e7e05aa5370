import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from packager.config.sources import HlsSource
from packager.ffmpeg.hls import Variant, hls_arguments
from packager.ffmpeg.probe import SourceInfo
from packager.runtime.ffmpeg.program import probe
from packager.runtime.ingest import hls
from packager.runtime.ingest.ffmpeg_pull import relay
from packager.runtime.ingest.hls import HlsReceiver
from tests.support import footage
from tests.support.hls_origin import Origin, cut, origin
from tests.support.receivers import FFMPEG, Taken, free_port, running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hls")
    cut(made)
    return made


@pytest.fixture
async def served(folder: Path) -> AsyncIterator[Origin]:
    async with origin(folder, free_port(socket.SOCK_STREAM)) as served:
        yield served


def line(served: Origin, path: str = "index.m3u8") -> HlsReceiver:
    return HlsReceiver(HlsSource(url=f"{served.url}/{path}"), FFMPEG)


async def info(taken: Taken, tmp_path: Path) -> SourceInfo:
    """The streams that ffmpeg finds in the received bytes."""
    await taken.until(lambda: len(taken.data) > 30_000)
    path = tmp_path / "taken.ts"
    path.write_bytes(taken.data)
    return await probe(FFMPEG, "taken", "-i", str(path))


@pytest.mark.parametrize("path", ["index.m3u8", "moved/index.m3u8?token=tell-nobody"])
async def test_the_best_variant_and_its_audio_arrive_as_a_transport_stream(
    served: Origin, tmp_path: Path, path: str
) -> None:
    async with running(line(served, path)) as taken:
        got = await info(taken, tmp_path)
        assert taken.peer == served.url.removeprefix("http://")
    assert [stream.codec for stream in got.video] == ["h264"]
    assert [stream.codec for stream in got.audio] == ["aac"]
    fetched = {asked.split("/")[-2] for asked in served.asked if asked.endswith(".ts")}
    assert fetched == {"high", "sound"}
    assert taken.calls == ["connected", "received", "disconnected"]
    # Seven segments were there: it began at the third before the end of them.
    first = min(int(asked.split("/")[-1][:-3]) for asked in served.asked if asked.endswith(".ts"))
    assert first >= 4


async def test_a_media_playlist_is_fetched_as_it_is(served: Origin, tmp_path: Path) -> None:
    async with running(line(served, "low/index.m3u8")) as taken:
        got = await info(taken, tmp_path)
    assert len(got.video) == 1
    assert not got.audio


async def test_it_is_fetched_again_once_it_is_back(
    served: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hls, "_MIN_PATIENCE", 1.0)
    monkeypatch.setattr(hls, "_PATIENCE_SEGMENTS", 1)
    async with running(line(served)) as taken:
        await taken.until_calls("connected", "received")
        served.down = True
        await taken.until_calls("connected", "received", "disconnected")
        await taken.until_problem("HTTP status 503")
        served.down = False
        await taken.until_calls(*("connected", "received", "disconnected"), "connected", "received")


async def test_a_playlist_that_grows_no_more_is_named_and_taken_once_it_does(
    served: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hls, "_MIN_PATIENCE", 1.0)
    monkeypatch.setattr(hls, "_PATIENCE_SEGMENTS", 1)
    served.stopped = 1
    async with running(line(served, "high/index.m3u8")) as taken:
        await taken.until_problem("the playlist does not grow")
        assert taken.reasons == ["nothing new for 1 s"]
        served.stopped = 2
        await taken.until_calls(*("connected", "received", "disconnected"), "connected", "received")


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("nothing/here", None, "HTTP status 404"),
        ("round/trip", None, "more than 5 redirects"),
        ("a", "<html>", "is no HLS playlist"),
        ("a", "", "is no HLS playlist"),
        ("a", "#EXTM3U\n#EXT-X-TARGETDURATION:\n\x00\n", "playlist"),
        ("a", "#EXTM3U\n", "has no segments"),
        ("a", "#EXTM3U\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n", "is not live"),
        ("a", "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "only http and https are fetched"),
        (
            "a",
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nfile:///etc/passwd\n",
            "only http and https",
        ),
        ("a", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow/none.m3u8\n", "HTTP status 404"),
        ("a", "#EXTM3U\n#EXTINF:1,\nnone/a.ts\n", "404"),
        ("a", "#EXTM3U\n" + "#" * (5 << 20), "longer than 4 MiB"),
    ],
)
async def test_a_failed_fetch_is_explained_in_one_line(
    served: Origin, monkeypatch: pytest.MonkeyPatch, path: str, text: str | None, reason: str
) -> None:
    monkeypatch.setattr(hls, "_MIN_PATIENCE", 2.0)
    if text is not None:
        served.texts[path] = text
    async with running(line(served, f"{path}?token=tell-nobody")) as taken:
        await taken.until_problem(reason)
        assert "tell-nobody" not in "".join(taken.problems)
        assert taken.calls == ["problem"]


async def test_an_unreachable_server_is_reported() -> None:
    port = free_port(socket.SOCK_STREAM)
    async with running(HlsReceiver(HlsSource(url=f"http://127.0.0.1:{port}/a"), FFMPEG)) as taken:
        await taken.until_problem("the server cannot be reached")


async def test_ffmpeg_itself_reads_no_file_that_a_playlist_names(
    served: Origin, tmp_path: Path
) -> None:
    """A playlist may turn hostile after it was looked at."""
    secret = tmp_path / "secret.ts"
    secret.write_bytes(footage.train().read_bytes()[:188_000])
    served.texts["a"] = (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    )
    received, lines = bytearray(), list[str]()
    variant = Variant(f"{served.url}/a")

    def arguments(write_end: int) -> list[str]:
        return hls_arguments(variant, write_end, any_name=True)

    async with asyncio.timeout(30):
        await relay(FFMPEG, arguments, received.extend, lines.append)
    assert not received
    assert lines
