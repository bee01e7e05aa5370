"""The status of a channel with two encoders."""

from pathlib import Path

from packager.config.sources import source_label
from packager.diagnostics.status import ChannelState, ChannelStatus, FeedStatus, encode
from packager.feed.report import Report
from packager.layout import STATUS

ADVICE = "Send a keyframe every 1.92 s: set the encoder's GOP to 48 frames."
FED = ChannelStatus(
    state=ChannelState.LIVE,
    since=1_767_225_600_000_000,
    source="rtmp",
    ladder="sports-1080p25",
    speed=1.0,
    restarts=2,
    lag_ms=730,
    drift_ms=-4,
    problem="the network was away",
    problem_at=1_767_225_601_000_000,
    feeds=(
        FeedStatus(
            name="rtmp",
            label=source_label(0, "rtmp"),
            active=True,
            connected=True,
            peer="192.0.2.7:50312",
            reconnects=3,
            report=Report(
                bitrate=6_123_000,
                frame_rate=25.0,
                keyframe_interval=2.4,
                skew_ms=-35,
                clock_ppm=12,
                continuity_errors=7,
                dropped_frames=5,
                late_frames=1,
                silent_ms=40,
            ),
            advice=(ADVICE,),
        ),
        FeedStatus(name="srt on port 9000", label=source_label(1, "srt on port 9000")),
    ),
)
PLAYED = ChannelStatus(
    state=ChannelState.BACKING_OFF,
    since=1_767_225_600_000_000,
    source="file harbour.ts",
    ladder="demo",
    problem="ffmpeg: harbour.ts: no such file",
)


def write_status(folder: Path, status: ChannelStatus) -> None:
    """Write the status to the file that the origin reads."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STATUS).write_bytes(encode(status))
