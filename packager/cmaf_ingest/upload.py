"""The body of one request: bytes in, headers announced and fragments pushed."""

from packager.cmaf.boxes import Buffer
from packager.cmaf.ingest_header import IngestHeader, read_header
from packager.cmaf.samples import read
from packager.cmaf.splitter import InitSection, Splitter
from packager.cmaf_ingest.announcements import IngestSender, NoHeaderError
from packager.cmaf_ingest.copies import RedundantFeed
from packager.cmaf_ingest.ingest import CmafIngest
from packager.cmaf_ingest.ingest_clock import IngestFragment
from packager.cmaf_ingest.track_names import TrackPlace, place_of_init, places_of_media
from packager.errors import MediaError
from packager.timing.ticks import UtcMicros


class Upload:
    """One request: a header, fragments of a track, or both."""

    def __init__(self, ingest: CmafIngest, path: str, host: str, port: int) -> None:
        """A request from `host` and `port` for `path`, relative to the channel's URL."""
        self._ingest = ingest
        self._path = path
        self.host = host
        self._connection = f"{host}:{port}"
        self._splitter = Splitter()
        self._track = ""
        self._sender = IngestSender("", "")
        self._header: IngestHeader | None = None
        self._feed: RedundantFeed | None = None
        self._size = 0

    def feed(self, data: Buffer, now: UtcMicros) -> None:
        """Add bytes of the body.

        Raises:
            MediaError: they are not fragmented MP4 of one track.
            CodecError: the codec cannot be packaged.
            NoHeaderError: a fragment has no known header.
            IngestRefusedError: a header or fragment does not fit the channel.
        """
        self._size += len(data)
        for event in self._splitter.feed(data):
            if isinstance(event, InitSection):
                self._announce(read_header(event), now)
                continue
            if self._header is None:
                self._header = self._known_header()
            run = read(event, self._header.facts.defaults)
            fragment = IngestFragment(self._track, self._sender, self._header, run)
            self._feed = self._ingest.push(fragment, self._feed, now)

    def close(self, now: UtcMicros, *, is_whole: bool) -> None:
        """End the body; `is_whole`: the request was not cut short.

        Raises:
            MediaError: it ends within a box.
        """
        if self._feed is not None:
            self._ingest.close(self._track, self._feed, now)
            self._feed = None
        if is_whole and self._splitter.offset < self._size:
            raise MediaError("the body ends within a box", offset=self._splitter.offset)

    def _announce(self, header: IngestHeader, now: UtcMicros) -> None:
        place = place_of_init(self._path)
        self._set_place(place)
        self._ingest.announce(place.track, self._sender, header, now)
        self._header = header

    def _known_header(self) -> IngestHeader:
        for place in places_of_media(self._path):
            self._set_place(place)
            header = self._ingest.header_of(place.track, self._sender)
            if header is not None:
                return header
        raise NoHeaderError("send the CMAF header of this track before its fragments")

    def _set_place(self, place: TrackPlace) -> None:
        self._track = place.track
        self._sender = IngestSender(f"{self.host}/{place.prefix}", self._connection)


def is_manifest(path: str) -> bool:
    """Whether encoders push a manifest to `path`, beside the media."""
    return path.lower().endswith((".mpd", ".m3u8", ".ism", ".isml"))


def is_text(path: str) -> bool:
    """Whether `path` has CMAF's suffix for subtitles or events (ISO/IEC 23000-19 annex A)."""
    return path.rstrip(")").lower().endswith((".cmft", ".cmfm"))
