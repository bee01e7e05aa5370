"""ffmpeg and GStreamer as readers of streams."""

import re
import shutil
import subprocess
from pathlib import Path

import imageio_ffmpeg

_PATIENCE = 45
"""Seconds."""


def frames_of(url: str, seconds: float) -> int:
    """The number of frames that ffmpeg decodes in `seconds` of a stream with audio."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel"]
    command += ["error", "-stats", "-i", url, "-map", "0:v:0", "-map", "0:a:0"]
    command += ["-t", str(seconds), "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)
    output = done.stderr.decode(errors="replace")
    assert done.returncode == 0, output
    frames = re.findall(r"frame=\s*(\d+)", output)
    return int(frames[-1]) if frames else 0


def reads(url: str, frames: int) -> bool:
    """Whether ffmpeg decodes that many frames of a stream with audio."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", url]
    command += ["-map", "0:v:0", "-map", "0:a:0", "-frames:v", str(frames)]
    command += ["-progress", "-", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=True)
    return f"frame={frames}\n".encode() in done.stdout


def picture_of(file: Path) -> bytes:
    """The first frame of a file: one byte a pixel, 0 is black."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", str(file)]
    command += ["-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", "-"]
    return subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=True).stdout


def complaints_about(file: Path) -> str:
    """The errors that ffmpeg reports when it decodes a whole file."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", str(file)]
    done = subprocess.run(
        [*command, "-f", "null", "-"], capture_output=True, timeout=_PATIENCE, check=False
    )
    return done.stderr.decode(errors="replace")


def gstreamer_pictures(element: str, url: str, wanted: int) -> int:
    """The number of frames, up to `wanted`, that GStreamer shows on time."""
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
