import os
import socket
from pathlib import Path

import pytest

from packager.config.secret import Secret
from packager.config.sources import SrtSource
from packager.feed.report import Container
from packager.runtime.ingest.srt import SrtReceiver
from tests.support import footage
from tests.support.receivers import FFMPEG, ffmpeg_sends, free_port, program, running

FEED = footage.train()
PASSPHRASE = "correct-horse-battery"
WRONG = "wrong-horse-battery"


def listening(port: int, passphrase: str | None = None) -> SrtReceiver:
    secret = None if passphrase is None else Secret(passphrase.encode())
    return SrtReceiver(SrtSource(port=port, host="127.0.0.1", passphrase=secret), FFMPEG)


def calling(port: int, sent: Path, *options: str) -> tuple[str, ...]:
    """An encoder that calls, and keeps what it sends."""
    url = f"srt://127.0.0.1:{port}?" + "&".join(
        ("pkt_size=1316", "connect_timeout=20000", *options)
    )
    where = f"[f=mpegts:flush_packets=1]{sent}|[f=mpegts]{url}"
    return ffmpeg_sends(
        *("-re", "-i", str(FEED), "-map", "0", "-c", "copy", "-f", "tee", where),
    )


async def test_the_bytes_of_a_caller_arrive_unchanged(tmp_path: Path) -> None:
    port, sent = free_port(), tmp_path / "sent.ts"
    async with running(listening(port, PASSPHRASE), port) as taken:
        async with program(*calling(port, sent, f"passphrase={PASSPHRASE}")):
            await taken.until(lambda: len(taken.data) > 100 * 188)
        assert (taken.container, taken.peer) == (Container.TS, f"a caller at port {port}")
        await taken.until_calls("connected", "received", "disconnected")
        # The caller's end cuts off what its latency held; all before is as it was sent.
        assert sent.read_bytes().startswith(taken.data)


async def test_a_latency_longer_than_the_patience_with_silence_is_waited_for(
    tmp_path: Path,
) -> None:
    port, sent = free_port(), tmp_path / "sent.ts"
    caller = program(*calling(port, sent, "latency=4000000"))
    async with running(listening(port), port) as taken, caller:
        await taken.until_calls("connected", "received")
    assert taken.problems == []


async def test_the_next_call_is_answered(tmp_path: Path) -> None:
    port = free_port()
    async with running(listening(port), port) as taken:
        for turn in (1, 2):
            sent = tmp_path / f"{turn}.ts"
            async with program(*calling(port, sent)):
                words = ("connected", "received", "disconnected") * (turn - 1)
                await taken.until_calls(*words, "connected", "received")
                await taken.until(lambda: len(taken.data) > 100 * 188)
                assert sent.read_bytes().startswith(taken.data[: 100 * 188])
            await taken.until_calls(*words, "connected", "received", "disconnected")
    assert taken.problems == []


async def test_a_caller_that_vanishes_is_gone_after_a_while(tmp_path: Path) -> None:
    port = free_port()
    async with running(listening(port), port) as taken:
        async with program(*calling(port, tmp_path / "sent.ts")) as caller:
            await taken.until_calls("connected", "received")
            caller.kill()
        await taken.until_calls("connected", "received", "disconnected")
        assert taken.reasons == ["no bytes for 3 s"]


async def test_gstreamer_calls() -> None:
    port, feed = free_port(), FEED.read_bytes()
    sends = (
        *("gst-launch-1.0", "-q", "filesrc", f"location={FEED}", "!", "tsparse"),
        *("set-timestamps=true", "alignment=7", "!", "srtsink"),
        *(f"uri=srt://127.0.0.1:{port}?mode=caller", f"passphrase={PASSPHRASE}"),
    )
    async with running(listening(port, PASSPHRASE), port) as taken, program(*sends):
        await taken.until(lambda: len(taken.data) > 500 * 188)
        assert feed.startswith(taken.data)


async def test_wrong_passphrases_are_reported_once_and_the_right_one_accepted(
    tmp_path: Path,
) -> None:
    port, sent = free_port(), tmp_path / "sent.ts"
    wrong = calling(port, sent, f"passphrase={WRONG}")
    async with running(listening(port, PASSPHRASE), port) as taken:
        async with program(*wrong) as one, program(*wrong) as two:
            assert await one.wait()
            assert await two.wait()
        problem = f"srt port {port}: a caller was refused: the passphrases differ"
        await taken.until_problem(problem)
        async with program(*calling(port, sent, f"passphrase={PASSPHRASE}")):
            await taken.until_calls("connected", "received")
    assert taken.problems == [problem]


async def test_garbage_leaves_the_port_as_it_is(tmp_path: Path) -> None:
    port, sent = free_port(), tmp_path / "sent.ts"
    async with running(listening(port), port) as taken:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for size in (0, 1, 15, 16, 64, 1316, 60_000):
                for first in (b"\x00", b"\x47", b"\x80", b"\xff"):
                    stranger.sendto((first + os.urandom(size))[:size], ("127.0.0.1", port))
        async with program(*calling(port, sent)):
            await taken.until_calls("connected", "received")


async def test_a_port_in_use_is_reported_once_and_opened_when_free(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        async with running(listening(port)) as taken:
            await taken.until_problem(f"srt port {port}: the port is in use by another program")
            other.close()
            async with program(*calling(port, tmp_path / "sent.ts")):
                await taken.until_calls("connected", "received")
            assert len(taken.problems) == 1


async def test_the_caller_retries_and_reconnects(tmp_path: Path) -> None:
    port = free_port()
    source = SrtSource(
        url=f"srt://127.0.0.1:{port}", passphrase=Secret(PASSPHRASE.encode()), stream_id="live/one"
    )
    async with running(SrtReceiver(source, FFMPEG)) as taken:
        for turn in (1, 2):
            sent = tmp_path / f"{turn}.ts"
            listens = calling(port, sent, "mode=listener", f"passphrase={PASSPHRASE}")
            async with program(*listens):
                await taken.until(lambda: len(taken.data) > 100 * 188)
                assert sent.read_bytes().startswith(taken.data[: 100 * 188])
            words = ("connected", "received", "disconnected") * turn
            await taken.until_calls(*words)
            taken.data.clear()
        assert taken.peer == f"srt://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("srt://nobody.invalid:9000", "no such host"),
        ("udp://127.0.0.1:9000", "has the form srt://host:port"),
        ("srt://127.0.0.1", "has the form srt://host:port"),
        ("srt://127.0.0.1:9000?passphrase=0123456789", "ends after the port"),
    ],
)
async def test_an_unreachable_listener_is_named(url: str, reason: str) -> None:
    async with running(SrtReceiver(SrtSource(url=url), FFMPEG)) as taken:
        await taken.until_problem(reason)
        assert "0123456789" not in "".join(taken.problems)


async def test_a_program_that_is_missing_is_named() -> None:
    async with running(SrtReceiver(SrtSource(port=free_port()), "/nowhere/ffmpeg")) as taken:
        await taken.until_problem("/nowhere/ffmpeg cannot be run")
