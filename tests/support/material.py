"""Faulty feeds, made from good ones."""

import random
import subprocess
from pathlib import Path

import imageio_ffmpeg

from tests.support import footage

PACKET = 188
"""Bytes of an MPEG-TS packet."""


def _ffmpeg(*arguments: str) -> None:
    program = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([program, "-v", "error", "-nostdin", "-y", *arguments], check=True, timeout=60)


def only(kind: str, out: Path) -> Path:
    """One stream of a feed, `v` or `a`."""
    _ffmpeg("-i", str(footage.train()), "-map", f"0:{kind}", "-c", "copy", str(out))
    return out


def made_up(
    out: Path,
    width: int,
    height: int,
    *,
    seconds: int = 6,
    frame_rate: str = "25",
    sample_rate: int = 48_000,
) -> Path:
    """A test pattern of that size, as an encoder sends it; a keyframe every 25 frames."""
    picture = f"testsrc2=size={width}x{height}:rate={frame_rate}:duration={seconds}"
    sound = f"sine=sample_rate={sample_rate}:duration={seconds}"
    _ffmpeg(
        "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound,
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25",
        "-c:a", "aac", str(out),
    )  # fmt: skip
    return out


def flashing(
    out: Path,
    *,
    seconds: int,
    starts: float,
    picture_late: int = 0,
    sound_late: int = 0,
    silent: tuple[int, int] | None = None,
) -> Path:
    """A flash and a beep each second, together, 0.52 s after each that is full.

    Args:
        out: an MPEG-TS file.
        seconds: how long either lasts.
        starts: its first timestamp, in seconds; the 33 bits of it wrap.
        picture_late: seconds that the picture begins after the sound.
        sound_late: seconds that the sound begins after the picture.
        silent: seconds between which no sound is sent at all.
    """
    flash = "between(mod(t,1),0.51,0.71)"
    beep = "between(mod(t,1),0.52,0.72)"
    picture = f"color=black:size=160x90:rate=25:duration={seconds}"
    picture += f",drawbox=w=iw:h=ih:color=white:thickness=fill:enable='{flash}'"
    sound = f"aevalsrc='0.5*sin(2*PI*1000*t)*{beep}':s=48000:d={seconds}"
    lost: list[str] = []
    if silent:
        first, last = (second * 48_000 // 1024 for second in silent)
        lost = ["-bsf:a", f"noise=drop=between(n\\,{first}\\,{last})"]
    _ffmpeg(
        "-itsoffset", str(picture_late), "-f", "lavfi", "-i", picture,
        "-itsoffset", str(sound_late), "-f", "lavfi", "-i", sound,
        "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency",
        "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac", *lost,
        "-output_ts_offset", str(starts), "-muxdelay", "0", "-muxpreload", "0", str(out),
    )  # fmt: skip
    return out


def copied(out: Path, file: Path) -> Path:
    """A file in another container, with the same streams and times."""
    _ffmpeg("-copyts", "-i", str(file), "-c", "copy", "-avoid_negative_ts", "disabled", str(out))
    return out


def with_mp2(out: Path, seconds: int) -> Path:
    """H.264 at 25 fps with a keyframe each second, and MP2 audio."""
    _ffmpeg(
        "-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=25:duration={seconds}",
        "-f", "lavfi", "-i", f"sine=sample_rate=48000:duration={seconds}",
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25",
        "-c:a", "mp2", str(out),
    )  # fmt: skip
    return out


def with_b_frames(out: Path, depth: int) -> Path:
    """Eight seconds at 25 fps with `depth` B-frames in a row, a keyframe each 48 frames."""
    pyramid = "normal" if depth > 1 else "none"
    _ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=8",
        "-f", "lavfi", "-i", "sine=sample_rate=48000:duration=8",
        "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "48",
        "-bf", str(depth), "-b_strategy", "0",
        "-x264-params", f"b-pyramid={pyramid}:scenecut=0", "-c:a", "aac", str(out),
    )  # fmt: skip
    return out


def anamorphic(out: Path) -> Path:
    """A white picture, 16:9 with pixels of 4:3."""
    _ffmpeg(
        "-f", "lavfi", "-i", "color=white:size=360x270:rate=25:duration=6,setsar=4/3",
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", str(out),
    )  # fmt: skip
    return out


def joined(out: Path, *files: Path) -> Path:
    """Concatenated files, as an encoder that restarts sends them."""
    out.write_bytes(b"".join(file.read_bytes() for file in files))
    return out


def noise(out: Path) -> Path:
    """A file without media."""
    out.write_bytes(random.Random(1).randbytes(300_000))
    return out


def begun_late(out: Path) -> Path:
    """A feed joined between two keyframes."""
    out.write_bytes(footage.train().read_bytes()[300 * PACKET :])
    return out


def with_junk(out: Path) -> Path:
    """A feed with junk bytes between its packets."""
    chance = random.Random(1)
    good = footage.train().read_bytes()
    step = 500 * PACKET
    pieces = [good[at : at + step] for at in range(0, len(good), step)]
    out.write_bytes(b"".join(p + chance.randbytes(chance.randrange(1, 2000)) for p in pieces))
    return out
