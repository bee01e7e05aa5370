"""Somebody's HLS, as ffmpeg is told to fetch it: the best variant alone, as a transport stream.

What playlists say is hostile until it is looked at; ffmpeg gets a multivariant playlist of our
own, in which nothing stands but what is wanted.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import m3u8

from packager.errors import FeedError
from packager.ffmpeg.progress import read_message

PROTOCOLS = "data,http,https,tcp,tls,crypto"
"""All that ffmpeg may use: our own playlist is `data`. No playlist has it read a file."""
_FORMATS = "hls,mpegts,mov,aac,mp3,ac3,eac3"
_BEHIND = 3
"""Segments behind the live edge: RFC 8216, section 6.3.3 forbids to begin nearer."""
_MOST_RENDITIONS = 16
_URL = re.compile(r"https?://[!#-~]{1,4000}")
_LANGUAGE = re.compile(r"[A-Za-z0-9-]{1,35}")
_USER = re.compile(r"(?<=://)[^\s/?'\"]*@")
_QUERY = re.compile(r"(https?://[^\s?'\"]*)\?[^\s'\"]*")
_DATA = re.compile(r"data:[^\s'\"]*")


@dataclass(frozen=True, slots=True)
class Sound:
    """A rendition of the sound that has a playlist of its own."""

    url: str
    language: str


@dataclass(frozen=True, slots=True)
class Variant:
    """What is fetched of a presentation."""

    url: str
    """Of its media playlist."""
    bandwidth: int = 1
    """Bit/s, as announced."""
    sounds: tuple[Sound, ...] = ()


@dataclass(frozen=True, slots=True)
class LivePlaylist:
    """What a media playlist says of its end."""

    target_duration: float
    """Seconds that its longest segment lasts."""
    newest: int
    """The media sequence number of its last segment."""


def best_variant(text: str, url: str) -> Variant:
    """Of the multivariant playlist `text`, found at `url`, the one with the most bits.

    A media playlist is its own and only variant.

    Raises:
        FeedError: it is no playlist, or names nothing that may be fetched.
    """
    playlist = _read(text)
    if not playlist.is_variant:
        return Variant(_allowed(url, ""))
    variants = list(playlist.playlists)
    if not variants:
        raise FeedError("the playlist has no variants")
    best = max(variants, key=lambda variant: _whole(variant.stream_info.bandwidth))
    sounds = [
        Sound(_allowed(url, media.uri), _language(media.language))
        for media in playlist.media
        if media.type == "AUDIO" and media.uri and media.group_id == best.stream_info.audio
    ]
    bandwidth = max(_whole(best.stream_info.bandwidth), 1)
    return Variant(_allowed(url, best.uri), bandwidth, tuple(sounds[:_MOST_RENDITIONS]))


def live_playlist(text: str, url: str) -> LivePlaylist:
    """What the media playlist `text`, found at `url`, says.

    Raises:
        FeedError: it is none, is not live, or names what may not be fetched.
    """
    playlist = _read(text)
    if playlist.is_variant:
        raise FeedError("a multivariant playlist where a media playlist should be")
    segments = list(playlist.segments)
    if not segments:
        raise FeedError("the playlist has no segments")
    if playlist.is_endlist:
        raise FeedError("the playlist is not live: it has an end (EXT-X-ENDLIST)")
    for uri in _named(segments):
        _allowed(url, uri)
    newest = _whole(playlist.media_sequence) + len(segments) - 1
    return LivePlaylist(float(_whole(playlist.target_duration)), newest)


def hls_arguments(variant: Variant, write_end: int, *, any_name: bool) -> list[str]:
    """Bring `variant` to the descriptor `write_end` as a transport stream, at the pace of time.

    With `any_name` files may be called anything: ffmpeg has options for it, but old ones have not.
    """
    names = ("-allowed_extensions", "ALL", "-allowed_segment_extensions", "ALL")
    ours = b64encode(_multivariant(variant).encode()).decode()
    return [
        *("-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+warning"),
        *("-protocol_whitelist", PROTOCOLS, "-format_whitelist", _FORMATS),
        *((*names, "-extension_picky", "0") if any_name else names[:2]),
        # Segments come at once; their media is to come as it was made.
        *("-readrate", "1", "-live_start_index", str(-_BEHIND)),
        *("-f", "hls", "-i", f"data:application/vnd.apple.mpegurl;base64,{ours}"),
        *("-map", "0:v:0?", "-map", "0:a?", "-c", "copy"),
        *("-f", "mpegts", "-muxdelay", "0", "-muxpreload", "0", "-flush_packets", "1"),
        f"pipe:{write_end}",
    ]


def read_hls(line: str) -> str | None:
    """What a line of ffmpeg complains of, without the queries of URLs: they have tokens in them."""
    message = read_message(line)
    if message is None or message.level not in ("warning", "error", "fatal"):
        return None
    return without_secrets(_DATA.sub("the playlist", message.text))


def host_of(url: str) -> str:
    """Whom `url` asks: its host, and its port if it names one."""
    return urlsplit(url).netloc.rpartition("@")[2]


def without_secrets(text: str) -> str:
    """`text` with each URL in it cut off at its query, and without who asks."""
    return _USER.sub("", _QUERY.sub(r"\1", text))


def _multivariant(variant: Variant) -> str:
    lines = ["#EXTM3U"]
    for index, sound in enumerate(variant.sounds):
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="{index}"'
            + (f',LANGUAGE="{sound.language}"' if sound.language else "")
            + f',URI="{sound.url}"'
        )
    group = ',AUDIO="sound"' if variant.sounds else ""
    lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={variant.bandwidth}{group}", variant.url, ""]
    return "\n".join(lines)


def _read(text: str) -> Any:  # noqa: ANN401 -- the library has no types
    if not text.lstrip("\ufeff \t\r\n").startswith("#EXTM3U"):
        raise FeedError("what is there is no HLS playlist")
    try:
        return m3u8.loads(text)
    except Exception as error:  # the library raises what comes
        raise FeedError("the HLS playlist cannot be read") from error


def _named(segments: Iterable[Any]) -> Iterator[str]:
    """All that is named by `segments`."""
    for segment in segments:
        yield cast("str", segment.uri or "")
        for other in (segment.key, segment.init_section):
            if other is not None and other.uri:
                yield cast("str", other.uri)


def _allowed(base: str, uri: object) -> str:
    """Where `uri`, named at `base`, leads.

    Raises:
        FeedError: not to HTTP.
    """
    try:
        url = urljoin(base, str(uri or ""))
    except ValueError:
        url = ""
    if _URL.fullmatch(url) is None:
        said = without_secrets(str(uri))[:80].encode("ascii", "backslashreplace").decode()
        raise FeedError(f"the playlist names {said}: only http and https are fetched")
    return url


def _whole(value: object) -> int:
    try:
        return min(max(int(cast("int", value or 0)), 0), 1 << 60)
    except (TypeError, ValueError, OverflowError):
        return 0


def _language(value: object) -> str:
    return value if isinstance(value, str) and _LANGUAGE.fullmatch(value) else ""
