"""Rules of one source."""

import re

from packager.config.decoding.report import FileReport
from packager.config.sources import SrtSource

_SRT = re.compile(r"srt://(?:[0-9A-Za-z.-]{1,253}|\[[0-9a-f:.]{2,45}\]):[0-9]{1,5}")
_LONGEST_PASSPHRASE = 79
"""Characters: SRT accepts no longer passphrase."""


def check_srt(source: object, path: str, report: FileReport) -> None:
    """Check that an SRT source either listens or calls."""
    if not isinstance(source, SrtSource):
        raise TypeError(source)
    port, url = f"{path}.port", f"{path}.url"
    if (source.port is None) == (source.url is None):
        reason = "set exactly one of port and url"
        report.broken(path, reason, "port to listen for the encoder, url to call it", port, url)
    if source.stream_id is not None and source.url is None:
        reason = "a stream id is sent to the listener at url, and there is no url"
        report.broken(f"{path}.stream_id", reason, "set url in place of port, or remove it", url)
    if source.url is not None and _SRT.fullmatch(source.url) is None:
        report.broken(url, "expected srt://host:port", "use for example srt://10.0.0.5:9000")
    if source.passphrase is not None and len(source.passphrase.value) > _LONGEST_PASSPHRASE:
        reason = f"longer than {_LONGEST_PASSPHRASE} characters"
        report.broken(f"{path}.passphrase", reason, "use 16 to 79 characters on both sides")
