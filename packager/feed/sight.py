"""What a decoder sees of a feed: whether the picture is black or stands still, and sound is silent.

ffmpeg's filters say so in its log: `blackframe` a line for each black picture, `freezedetect` and
`silencedetect` one where it begins and one where it ends.
"""

import re
from dataclasses import dataclass

from packager.source import LossConfig
from packager.ticks import MICROS

PICTURES = 5
"""A second that are looked at."""
_GAP = MICROS
"""Microseconds without a black picture after which it is black no more."""
_BLACK = re.compile(r"\bpblack:\d{1,3} pts:-?\d{1,20} t:(\d{1,9}(?:\.\d{1,9})?)")
_MARK = re.compile(r"\b(freeze|silence)_(start|end): ")


@dataclass(slots=True)
class Sight:
    """The state of one feed."""

    config: LossConfig
    frozen: bool = False
    silent: bool = False
    _black_from: float | None = None
    """Seconds of the feed's time at which the picture became black."""
    _black_to: float = 0.0
    _black_seen: int = 0
    """When the last black picture was, in monotonic microseconds."""

    def filters(self) -> tuple[str, str]:
        """Ffmpeg's filters for picture and sound; empty where nothing is to be looked for."""
        config, video, audio = self.config, list[str](), ""
        if config.black is not None:
            video.append("blackframe=amount=98:threshold=32")
        if config.frozen is not None:
            video.append(f"freezedetect=n=-60dB:d={float(config.frozen):g}")
        if config.silent is not None:
            audio = f"silencedetect=n=-60dB:d={float(config.silent):g}"
        if video:
            video = [f"fps={PICTURES}", "scale=320:-2", *video]
        return ",".join(video), audio

    def line(self, text: str, now: int) -> None:
        """Take a line of ffmpeg's log that came at `now`, monotonic microseconds."""
        if (match := _MARK.search(text)) is not None:
            begins = match[2] == "start"
            if match[1] == "freeze":
                self.frozen = begins
            else:
                self.silent = begins
        elif (match := _BLACK.search(text)) is not None:
            at = float(match[1])
            if self._black_from is None or now - self._black_seen > _GAP:
                self._black_from = at
            self._black_to, self._black_seen = at, now

    def forget(self) -> None:
        """Nothing is known of the feed any more."""
        self.frozen = self.silent = False
        self._black_from = None

    def problem(self, now: int) -> str:
        """Why the feed counts as lost at `now`; empty where it does not."""
        config = self.config
        if self.is_black(now):
            return f"the picture is black for {self._black_to - (self._black_from or 0):.0f} s"
        if self.frozen:
            return f"the picture stands still for more than {float(config.frozen or 0):g} s"
        if self.silent:
            return f"the sound is silent for more than {float(config.silent or 0):g} s"
        return ""

    def is_black(self, now: int) -> bool:
        """Whether the picture has been black for too long."""
        threshold = self.config.black
        if threshold is None or self._black_from is None or now - self._black_seen > _GAP:
            return False
        return self._black_to - self._black_from + 1 / PICTURES >= threshold
