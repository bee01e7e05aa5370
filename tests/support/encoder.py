"""A real encoder: ffmpeg, pushing a feed in real time; it can be stopped, frozen or killed."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

from tests.support import footage

_CONTAINERS = {"rtmp": "flv", "rtmps": "flv"}
_PATIENCE = 10.0


@dataclass(frozen=True)
class Look:
    """How the feed is encoded; by default it is sent without encoding."""

    size: str | None = None
    """Such as 320x180."""
    frame_rate: str | None = None
    """Such as 25 or 30000/1001."""
    gop: int | None = None
    """Frames from keyframe to keyframe."""
    audio_rate: int | None = None
    """Hz."""
    audio: bool = True
    offset: int = 0
    """Seconds of the first timestamp."""
    pattern: bool = False
    """An endless generated picture and tone, in place of the feed."""

    @property
    def copies_video(self) -> bool:
        return not (self.size or self.frame_rate or self.gop or self.pattern)

    @property
    def copies_audio(self) -> bool:
        return not (self.audio_rate or self.pattern)


AS_IT_IS = Look()


def arguments(
    url: str, look: Look = AS_IT_IS, feed: Path | None = None, *, loop: bool = True
) -> list[str]:
    """The command of an encoder that sends `feed` to `url`: rtmp(s), srt, udp, rtp or http(s)."""
    scheme = url.partition(":")[0]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", "error"]
    if look.pattern:
        size, rate = look.size or "320x180", look.frame_rate or "25"
        command += ["-re", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}"]
        command += ["-re", "-f", "lavfi", "-i", f"sine=sample_rate={look.audio_rate or 48_000}"]
        command += ["-map", "0:v", "-map", "1:a"]
    else:
        command += ["-stream_loop", "-1"] if loop else []
        command += ["-re", "-i", str(feed or footage.train()), "-map", "0:v:0", "-map", "0:a:0"]
    if look.copies_video:
        command += ["-c:v", "copy"]
    else:
        command += ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"]
        command += ["-pix_fmt", "yuv420p", "-sc_threshold", "0", "-g", str(look.gop or 25)]
        command += ["-s", look.size] if look.size else []
        command += ["-r", look.frame_rate] if look.frame_rate else []
    if not look.audio:
        command += ["-an"]
    elif look.copies_audio:
        command += ["-c:a", "copy"]
    else:
        command += ["-c:a", "aac", "-ar", str(look.audio_rate or 48_000)]
    if scheme in ("http", "https"):
        command += ["-method", "PUT", "-chunked_post", "1", "-send_expect_100", "0"]
    command += ["-output_ts_offset", str(look.offset)] if look.offset else []
    container = "rtp_mpegts" if scheme == "rtp" else _CONTAINERS.get(scheme, "mpegts")
    if scheme == "udp":
        url += ("&" if "?" in url else "?") + "pkt_size=1316"
    return [*command, "-f", container, "-flush_packets", "1", url]


@dataclass
class Encoder:
    """A running encoder."""

    process: "subprocess.Popen[bytes]"

    def kill(self) -> None:
        """Kill it, as in a power failure: the connection is not closed."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End the stream as its protocol requires."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(_PATIENCE)

    def freeze(self) -> None:
        """Stop sending, and stay connected."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue, and send the delayed media."""
        self.process.send_signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        return self.process.poll() is None


@contextmanager
def encoder(
    url: str,
    look: Look = AS_IT_IS,
    feed: Path | None = None,
    *,
    loop: bool = True,
) -> Iterator[Encoder]:
    """Run an encoder until the end of the block."""
    command = arguments(url, look, feed, loop=loop)
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    running = Encoder(process)
    try:
        yield running
    finally:
        running.kill()
