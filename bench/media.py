"""The input of the benchmarks: five renditions and audio, 12 Mbit/s, pre-encoded."""

import subprocess
from pathlib import Path

import imageio_ffmpeg

FFMPEG = str(imageio_ffmpeg.get_ffmpeg_exe())
OUT = Path(__file__).parent / "out"
RATES = (5200, 3200, 1900, 1000, 570)
"""kbit/s of the renditions. Nothing is decoded, so the picture does not matter."""
SEGMENT = "1.92"
_SECONDS = "57.6"


def ladder() -> Path:
    """The recorded ladder: 30 segments of 1.92 s at 25 fps, keyframes on the grid."""
    path = OUT / "ladder.mp4"
    if path.exists():
        return path
    OUT.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.mp4")
    command = [FFMPEG, "-v", "error", "-y"]
    command += ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25"]
    command += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
    for _ in RATES:
        command += ["-map", "0:v"]
    command += ["-map", "1:a", "-c:v", "libx264", "-preset", "ultrafast", "-g", "48"]
    command += ["-keyint_min", "48", "-sc_threshold", "0", "-bf", "2"]
    command += ["-x264-params", "nal-hrd=cbr:filler=1"]
    for index, rate in enumerate(RATES):
        for option in ("b", "minrate", "maxrate", "bufsize"):
            command += [f"-{option}:v:{index}", f"{rate}k"]
    command += ["-c:a", "aac", "-b:a", "128k", "-t", _SECONDS, str(partial)]
    subprocess.run(command, check=True)
    partial.replace(path)
    return path
