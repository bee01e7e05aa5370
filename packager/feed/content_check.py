"""Detects black or frozen video and silent audio in the log of ffmpeg's filters.

`blackframe` logs a line for each black frame. `freezedetect` and `silencedetect` log the start and
the end.
"""

import re
from dataclasses import dataclass

from packager.config.sources import LossConfig
from packager.timing.ticks import MICROS

FRAME_RATE = 5
"""Frames a second that are checked."""
_MAX_GAP = MICROS
"""Microseconds without a black frame after which the video is not black."""
_BLACK = re.compile(r"\bpblack:\d{1,3} pts:-?\d{1,20} t:(\d{1,9}(?:\.\d{1,9})?)")
_START_OR_END = re.compile(r"\b(freeze|silence)_(start|end): ")


@dataclass(slots=True)
class ContentCheck:
    """The state of one feed."""

    config: LossConfig
    frozen: bool = False
    silent: bool = False
    _black_from: float | None = None
    """Seconds of the feed's time at which the video became black."""
    _black_to: float = 0.0
    _last_black_at: int = 0
    """When the last black frame was logged, in monotonic microseconds."""

    def filters(self) -> tuple[str, str]:
        """The ffmpeg filters for video and audio; empty if nothing is to be checked."""
        config, video, audio = self.config, list[str](), ""
        if config.black is not None:
            video.append("blackframe=amount=98:threshold=32")
        if config.frozen is not None:
            video.append(f"freezedetect=n=-60dB:d={float(config.frozen):g}")
        if config.silent is not None:
            audio = f"silencedetect=n=-60dB:d={float(config.silent):g}"
        if video:
            video = [f"fps={FRAME_RATE}", "scale=320:-2", *video]
        return ",".join(video), audio

    def line(self, text: str, now: int) -> None:
        """Read a line of ffmpeg's log, logged at `now` (monotonic microseconds)."""
        if (match := _START_OR_END.search(text)) is not None:
            is_start = match[2] == "start"
            if match[1] == "freeze":
                self.frozen = is_start
            else:
                self.silent = is_start
        elif (match := _BLACK.search(text)) is not None:
            at = float(match[1])
            if self._black_from is None or now - self._last_black_at > _MAX_GAP:
                self._black_from = at
            self._black_to, self._last_black_at = at, now

    def forget(self) -> None:
        """Start over, as for a new feed."""
        self.frozen = self.silent = False
        self._black_from = None

    def problem(self, now: int) -> str:
        """Why the feed counts as lost at `now`; empty if it does not."""
        config = self.config
        if self.is_black(now):
            return f"the video is black for {self._black_to - (self._black_from or 0):.0f} s"
        if self.frozen:
            return f"the video is frozen for more than {float(config.frozen or 0):g} s"
        if self.silent:
            return f"the audio is silent for more than {float(config.silent or 0):g} s"
        return ""

    def is_black(self, now: int) -> bool:
        """Whether the video is black for too long."""
        threshold = self.config.black
        if threshold is None or self._black_from is None or now - self._last_black_at > _MAX_GAP:
            return False
        return self._black_to - self._black_from + 1 / FRAME_RATE >= threshold
