"""The arguments with which ffmpeg fetches HLS: the best variant alone, as a transport stream.

Upstream playlists are untrusted input. ffmpeg therefore reads a generated multivariant playlist
that contains only the checked URLs of the selected variant.
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
"""The protocols that ffmpeg may use; `data` for the generated playlist, and never `file`."""
_FORMATS = "hls,mpegts,mov,aac,mp3,ac3,eac3"
_BEHIND = 3
"""Segments behind the live edge: RFC 8216, section 6.3.3 forbids a nearer start."""
_MAX_RENDITIONS = 16
_URL = re.compile(r"https?://[!#-~]{1,4000}")
_LANGUAGE = re.compile(r"[A-Za-z0-9-]{1,35}")
_USER = re.compile(r"(?<=://)[^\s/?'\"]*@")
_QUERY = re.compile(r"(https?://[^\s?'\"]*)\?[^\s'\"]*")
_DATA = re.compile(r"data:[^\s'\"]*")


@dataclass(frozen=True, slots=True)
class AudioRenditionPlaylist:
    """An audio rendition with its own playlist."""

    url: str
    language: str


@dataclass(frozen=True, slots=True)
class Variant:
    """The selected variant of a presentation."""

    url: str
    """URL of its media playlist."""
    bandwidth: int = 1
    """Bit/s, as announced."""
    audio: tuple[AudioRenditionPlaylist, ...] = ()


@dataclass(frozen=True, slots=True)
class LivePlaylist:
    """The end of a live media playlist."""

    target_duration: float
    """Seconds of the longest segment."""
    newest: int
    """The media sequence number of its last segment."""


def best_variant(text: str, url: str) -> Variant:
    """The variant with the highest bandwidth in the multivariant playlist `text` from `url`.

    A media playlist is its own only variant.

    Raises:
        FeedError: `text` is no playlist, or has no URL that may be fetched.
    """
    playlist = _read(text)
    if not playlist.is_variant:
        return Variant(_allowed(url, ""))
    variants = list(playlist.playlists)
    if not variants:
        raise FeedError("the playlist has no variants")
    best = max(variants, key=lambda variant: _whole(variant.stream_info.bandwidth))
    audio = [
        AudioRenditionPlaylist(_allowed(url, media.uri), _language(media.language))
        for media in playlist.media
        if media.type == "AUDIO" and media.uri and media.group_id == best.stream_info.audio
    ]
    bandwidth = max(_whole(best.stream_info.bandwidth), 1)
    return Variant(_allowed(url, best.uri), bandwidth, tuple(audio[:_MAX_RENDITIONS]))


def live_playlist(text: str, url: str) -> LivePlaylist:
    """The end of the media playlist `text` from `url`.

    Raises:
        FeedError: `text` is no live media playlist, or has a URL that may not be fetched.
    """
    playlist = _read(text)
    if playlist.is_variant:
        raise FeedError("a multivariant playlist in place of a media playlist")
    segments = list(playlist.segments)
    if not segments:
        raise FeedError("the playlist has no segments")
    if playlist.is_endlist:
        raise FeedError("the playlist is not live: it has an end (EXT-X-ENDLIST)")
    for uri in _uris(segments):
        _allowed(url, uri)
    newest = _whole(playlist.media_sequence) + len(segments) - 1
    return LivePlaylist(float(_whole(playlist.target_duration)), newest)


def hls_arguments(variant: Variant, write_end: int, *, any_name: bool) -> list[str]:
    """Arguments of an ffmpeg that writes `variant` to the descriptor `write_end`, in real time.

    `any_name`: this ffmpeg has the options that allow segments with any file name.
    """
    names = ("-allowed_extensions", "ALL", "-allowed_segment_extensions", "ALL")
    playlist = b64encode(_multivariant(variant).encode()).decode()
    return [
        *("-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+warning"),
        *("-protocol_whitelist", PROTOCOLS, "-format_whitelist", _FORMATS),
        *((*names, "-extension_picky", "0") if any_name else names[:2]),
        # Segments arrive in bursts; readrate evens them out.
        *("-readrate", "1", "-live_start_index", str(-_BEHIND)),
        *("-f", "hls", "-i", f"data:application/vnd.apple.mpegurl;base64,{playlist}"),
        *("-map", "0:v:0?", "-map", "0:a?", "-c", "copy"),
        *("-f", "mpegts", "-muxdelay", "0", "-muxpreload", "0", "-flush_packets", "1"),
        f"pipe:{write_end}",
    ]


def read_hls(line: str) -> str | None:
    """The warning or error in a line of ffmpeg's log, without the queries of URLs (tokens)."""
    message = read_message(line)
    if message is None or message.level not in ("warning", "error", "fatal"):
        return None
    return without_secrets(_DATA.sub("the playlist", message.text))


def host_of(url: str) -> str:
    """The host of `url`, with its port if it has one."""
    return urlsplit(url).netloc.rpartition("@")[2]


def without_secrets(text: str) -> str:
    """`text` with all URLs in it without query and user."""
    return _USER.sub("", _QUERY.sub(r"\1", text))


def _multivariant(variant: Variant) -> str:
    lines = ["#EXTM3U"]
    for index, rendition in enumerate(variant.audio):
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="{index}"'
            + (f',LANGUAGE="{rendition.language}"' if rendition.language else "")
            + f',URI="{rendition.url}"'
        )
    group = ',AUDIO="sound"' if variant.audio else ""
    lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={variant.bandwidth}{group}", variant.url, ""]
    return "\n".join(lines)


def _read(text: str) -> Any:  # noqa: ANN401 -- the library has no types
    if not text.lstrip("\ufeff \t\r\n").startswith("#EXTM3U"):
        raise FeedError("the response is no HLS playlist")
    try:
        return m3u8.loads(text)
    except Exception as error:  # the library raises many types
        raise FeedError("the HLS playlist cannot be read") from error


def _uris(segments: Iterable[Any]) -> Iterator[str]:
    """The URIs of `segments`, their keys and their init sections."""
    for segment in segments:
        yield cast("str", segment.uri or "")
        for other in (segment.key, segment.init_section):
            if other is not None and other.uri:
                yield cast("str", other.uri)


def _allowed(base: str, uri: object) -> str:
    """The absolute URL of `uri` in a playlist at `base`.

    Raises:
        FeedError: the URL is neither http nor https.
    """
    try:
        url = urljoin(base, str(uri or ""))
    except ValueError:
        url = ""
    if _URL.fullmatch(url) is None:
        shown = without_secrets(str(uri))[:80].encode("ascii", "backslashreplace").decode()
        raise FeedError(f"the playlist contains {shown}: only http and https are fetched")
    return url


def _whole(value: object) -> int:
    try:
        return min(max(int(cast("int", value or 0)), 0), 1 << 60)
    except (TypeError, ValueError, OverflowError):
        return 0


def _language(value: object) -> str:
    return value if isinstance(value, str) and _LANGUAGE.fullmatch(value) else ""
