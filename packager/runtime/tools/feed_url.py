"""The receiver of a feed that the command line names by a URL."""

from urllib.parse import SplitResult, parse_qsl, urlsplit

from packager.config.quantities import quoted
from packager.config.secret import Secret
from packager.config.sources import HlsSource, SrtSource, UdpSource
from packager.errors import SetupError
from packager.runtime.ingest import pull
from packager.runtime.ingest.receiver import Receiver

_FORMS = (
    "udp://host:port, srt://host:port, srt://:port to listen, rtmp://... or an HLS playlist at "
    "http://..."
)


def receiver_for(url: str, program: str) -> Receiver:
    """The receiver of the feed at `url`; `program` is the path of ffmpeg.

    Raises:
        SetupError: the URL has no known form.
    """
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        raise SetupError(f"not a source: {quoted(url)} (use {_FORMS})") from None
    host = split.hostname or ""
    match split.scheme:
        case "udp" | "rtp" if host and port:
            return pull.receiver_for(UdpSource(port=port, host=host), program)
        case "srt" if port:
            return pull.receiver_for(_srt_source(split, port), program)
        case "rtmp" | "rtmps" if host:
            return pull.rtmp_puller(url, f"{split.scheme}://{host}", program)
        case "http" | "https" if host:
            return pull.receiver_for(HlsSource(url=url), program)
        case _:
            raise SetupError(f"not a source: {quoted(split.scheme or url)} (use {_FORMS})")


def _srt_source(split: SplitResult, port: int) -> SrtSource:
    """A caller if the URL has a host, a listener if it has none."""
    options = dict(parse_qsl(split.query))
    passphrase = options.get("passphrase")
    return SrtSource(
        port=None if split.hostname else port,
        url=f"srt://{split.netloc}" if split.hostname else None,
        stream_id=options.get("streamid"),
        passphrase=None if passphrase is None else Secret(passphrase.encode()),
    )
