"""The body of one request: bytes in, headers announced and fragments pushed."""

from packager.cmaf.boxes import Buffer
from packager.cmaf.header import Header, read_header
from packager.cmaf.run import read
from packager.cmaf.splitter import InitSection, Splitter
from packager.cmaf_push.copies import Feed
from packager.cmaf_push.merge import Merge, NoHeaderError, Sender
from packager.cmaf_push.names import Place, place_of_init, places_of_media
from packager.errors import MediaError
from packager.ticks import UtcMicros


class Body:
    """What one request sends: a header, fragments of a track, or both."""

    def __init__(self, merge: Merge, path: str, host: str, port: int) -> None:
        """A request for `path`, below the channel's own, has come from `host` and `port`."""
        self._merge = merge
        self._path = path
        self._host = host
        self._connection = f"{host}:{port}"
        self._splitter = Splitter()
        self._track = ""
        self._sender = Sender("", "")
        self._header: Header | None = None
        self._feed: Feed | None = None
        self._size = 0

    def feed(self, data: Buffer, now: UtcMicros) -> None:
        """More of it has come.

        Raises:
            MediaError: it is no fragmented MP4 of one track.
            CodecError: it is, but of a codec that cannot be packaged.
            NoHeaderError: a fragment of which no header is known.
            RefusedError: it does not go with the channel.
        """
        self._size += len(data)
        for event in self._splitter.feed(data):
            if isinstance(event, InitSection):
                self._announce(read_header(event), now)
                continue
            if self._header is None:
                self._header = self._known()
            run = read(event, self._header.facts.defaults)
            self._feed = self._merge.push(
                self._track, self._feed, self._sender, self._header, run, now
            )

    def close(self, now: UtcMicros, *, is_whole: bool) -> None:
        """Nothing more comes; `is_whole`: as it was meant to.

        Raises:
            MediaError: it ends within a box.
        """
        if self._feed is not None:
            self._merge.close(self._track, self._feed, now)
            self._feed = None
        if is_whole and self._splitter.offset < self._size:
            raise MediaError("it ends within a box", offset=self._splitter.offset)

    def _announce(self, header: Header, now: UtcMicros) -> None:
        place = place_of_init(self._path)
        self._is_at(place)
        self._merge.announce(place.track, self._sender, header, now)
        self._header = header

    def _known(self) -> Header:
        for place in places_of_media(self._path):
            self._is_at(place)
            header = self._merge.header_of(place.track, self._sender)
            if header is not None:
                return header
        raise NoHeaderError("no header of this track has come")

    def _is_at(self, place: Place) -> None:
        self._track = place.track
        self._sender = Sender(f"{self._host}/{place.prefix}", self._connection)


def is_manifest(path: str) -> bool:
    """Whether encoders push a manifest there, beside the media."""
    return path.lower().endswith((".mpd", ".m3u8", ".ism", ".isml"))


def is_text(path: str) -> bool:
    """Whether it is said to be subtitles or events: CMAF's own suffixes (23000-19, annex A)."""
    return path.rstrip(")").lower().endswith((".cmft", ".cmfm"))
