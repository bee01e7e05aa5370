"""Other people's readers of streams."""

import re
import shutil
import subprocess
from pathlib import Path

import imageio_ffmpeg

_PATIENCE = 45
"""Seconds."""


def frames_of(url: str, seconds: float) -> int:
    """How many pictures ffmpeg decodes of that much of a stream, with its sound beside it."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel"]
    command += ["error", "-stats", "-i", url, "-map", "0:v:0", "-map", "0:a:0"]
    command += ["-t", str(seconds), "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0, said
    frames = re.findall(r"frame=\s*(\d+)", said)
    return int(frames[-1]) if frames else 0


def picture_of(file: Path) -> bytes:
    """The first picture of a file: a byte a pixel, black to white."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", str(file)]
    command += ["-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", "-"]
    return subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=True).stdout


def complaints_about(file: Path) -> str:
    """What ffmpeg says is wrong with a file that it decodes whole."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", str(file)]
    done = subprocess.run(
        [*command, "-f", "null", "-"], capture_output=True, timeout=_PATIENCE, check=False
    )
    return done.stderr.decode(errors="replace")


def gstreamer_pictures(element: str, url: str, wanted: int) -> int:
    """How many pictures GStreamer shows of a stream on its clock, up to `wanted`."""
    program = shutil.which("gst-launch-1.0")
    assert program, "gst-launch-1.0 is missing: run tests/system-packages"
    pipeline = f"{element} uri={url} name=d"
    for kind in ("video", "audio"):
        pipeline += f" d. ! queue ! {kind}convert ! fakesink name={kind} silent=false sync=true"
    command = ["timeout", str(_PATIENCE), program, "-v", *pipeline.split()]
    shown = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        assert running.stdout is not None
        for line in running.stdout:
            shown += b"video: last-message = chain" in line
            if shown >= wanted:
                break
        running.terminate()
    return shown
