"""The feeds that the tests make: what their names promise, and the same bytes each time."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import footage, scte35
from tests.support.transport import MAP, PACKET, crc


def decoded(feed: Path) -> tuple[int, str]:
    """How many pictures ffmpeg decodes, and its complaints."""
    command = [footage.FFMPEG, "-v", "error", "-nostdin", "-i", str(feed)]
    command += ["-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    lines = done.stdout.splitlines()
    return len([line for line in lines if not line.startswith("#")]), done.stderr


def first_payload(feed: bytes, pid: int) -> bytes:
    """That of the first packet of a PID, after its pointer: a section begins there."""
    packets = (feed[at : at + PACKET] for at in range(0, len(feed), PACKET))
    packet = next(p for p in packets if int.from_bytes(p[1:3]) & 0x1FFF == pid)
    begin = 5 + packet[4] if packet[3] & 0x20 else 4
    return packet[begin + 1 + packet[begin] :]


@pytest.mark.parametrize(
    "write", [footage.write_train, footage.write_mpeg2, footage.write_without_delimiters]
)
def test_the_bytes_are_the_same_each_time(write: footage.Write, tmp_path: Path) -> None:
    one, two = tmp_path / "one.ts", tmp_path / "two.ts"
    write(one)
    write(two)
    assert one.read_bytes() == two.read_bytes()
    assert sorted(tmp_path.iterdir()) == [one, two], "nothing is left behind"


@pytest.mark.parametrize(
    ("feed", "pictures"),
    [
        *((footage.train, 300), (footage.harbour, 171)),
        *((footage.mpeg2, 3), (footage.with_cues, 3), (footage.without_delimiters, 3)),
    ],
)
def test_it_is_decoded_without_a_complaint(feed: footage.Feed, pictures: int) -> None:
    assert decoded(feed()) == (pictures, "")


def test_processes_that_ask_together_get_one_feed_that_is_made_once(tmp_path: Path) -> None:
    made: list[Path] = []

    def write(out: Path) -> None:
        made.append(out)
        out.write_bytes(b"half")
        time.sleep(0.2)
        out.write_bytes(b"whole")

    def ask(_: int) -> bytes:
        return footage.made.__wrapped__("x.ts", write, tmp_path).read_bytes()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {b"whole"}
    assert len(made) == 1


def test_a_programme_with_cues_announces_them_and_has_one() -> None:
    feed = footage.with_cues().read_bytes()
    programme = first_payload(feed, MAP)
    size = (int.from_bytes(programme[1:3]) & 0xFFF) + 3
    assert crc(programme[:size]) == 0
    assert b"\x05\x04CUEI" in programme[:size]
    assert bytes((scte35.STREAM_TYPE,)) + (0xE000 | scte35.CUES).to_bytes(2) in programme[:size]
    cue = first_payload(feed, scte35.CUES)
    size = (int.from_bytes(cue[1:3]) & 0xFFF) + 3
    assert cue[:size] == scte35.splice_insert(1, 222_000, 2_700_000)
    assert (cue[0], cue[13], crc(cue[:size])) == (scte35.SPLICE_INFO, scte35.SPLICE_INSERT, 0)
    command = [footage.FFMPEG, "-hide_banner", "-nostdin", "-i", str(footage.with_cues())]
    banner = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    assert "Data: scte_35" in banner


def test_a_feed_without_delimiters_has_none() -> None:
    for feed, wanted in ((footage.without_delimiters(), False), (footage.train(), True)):
        assert (b"\0\0\0\1\x09" in feed.read_bytes()) == wanted


def test_junk_stands_between_whole_packets() -> None:
    clean, junk = footage.mpeg2().read_bytes(), footage.with_junk().read_bytes()
    assert len(junk) > len(clean)
    step, at = 20 * PACKET, 0
    for begin in range(0, len(clean), step):
        at = junk.index(clean[begin : begin + step], at)


def test_the_small_feeds_of_the_repository_stay_small() -> None:
    sizes = [path.stat().st_size for path in footage.SMALL.glob("*.ts")]
    assert len(sizes) == 2
    assert max(sizes) < 100_000
