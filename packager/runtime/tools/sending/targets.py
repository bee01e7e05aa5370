"""The target that a URL names."""

from urllib.parse import SplitResult, urlsplit

from packager.config.quantities import quoted
from packager.errors import SetupError
from packager.runtime.tools.sending.ffmpeg import FfmpegTarget
from packager.runtime.tools.sending.http import HttpTarget
from packager.runtime.tools.sending.target import SendTarget, without_secret
from packager.runtime.tools.sending.udp import UdpTarget

FORMS = (
    "udp://host:port, rtp://host:port, srt://host:port, rtmp://host/live/key or "
    "http://host/push/key"
)


def target_of(url: str, program: str) -> SendTarget:
    """The target that `url` names; `program` is the path of ffmpeg.

    Raises:
        SetupError: the URL has no known form.
    """
    try:
        split = urlsplit(url)
        has_host = bool(split.hostname) and split.port != 0
    except ValueError:
        raise SetupError(f"not a target: {quoted(url)} (use {FORMS})") from None
    target = _target(split, program) if has_host else None
    if target is None:
        shown = without_secret(split) if split.scheme and split.netloc else url
        raise SetupError(f"not a target: {quoted(shown)} (use {FORMS})")
    return target


def _target(url: SplitResult, program: str) -> SendTarget | None:
    match url.scheme:
        case "udp" | "rtp" if url.port:
            return UdpTarget(url, is_rtp=url.scheme == "rtp")
        case "srt" | "rtmp" | "rtmps":
            return FfmpegTarget(url, program)
        case "http" | "https":
            return HttpTarget(url)
        case _:
            return None
