"""Flash video as it passes: a head, then tags (Adobe's specification 10.1, annex E).

Tags of Enhanced RTMP (Veovera, version 2) too: ffmpeg's and OBS's HEVC and AV1, several tracks.
Where bytes are no FLV, or no longer, nothing is looked at any more; they pass as they came.
"""

from itertools import pairwise
from typing import NamedTuple

from packager.feed.container import Piece, Report
from packager.feed.health import Health

_RATE = 1000
_BITS = 32
_SIGNATURE = b"FLV"
_HEADER = 9
_LONGEST_HEADER = 1024
_TAG = 11
"""Bytes of a tag's head."""
_TRAILER = 4
"""Bytes after a tag, or after the header: the size of what was before them."""
_AUDIO, _VIDEO, _SCRIPT = 8, 9, 18
_KIND, _RESERVED = 0x1F, 0xC0
_ENCRYPTED = 0x20

_LOOKED_AT = 64
"""Bytes of a tag's body that say what it is."""
_LONGEST_KEPT = 1 << 16
"""Bytes of a sequence header or of metadata that are kept for the prelude."""
_MAX_TRACKS = 16
_META_DATA = b"\x02\0\x0aonMetaData"
_ENHANCED = 0x80
_KEYFRAMES = (1, 4)
"""Frame types: of the encoder, or made by the server."""
_COMMAND = 5
_AVC, _AAC, _ENHANCED_SOUND = 7, 10, 9

_VIDEO_CODECS = {2: "flv1", 4: "vp6f", 5: "vp6a", 7: "h264", 12: "hevc"}
_AUDIO_CODECS = {
    0: "pcm_u8",
    1: "adpcm_swf",
    2: "mp3",
    3: "pcm_s16le",
    4: "nellymoser",
    5: "nellymoser",
    6: "nellymoser",
    7: "pcm_alaw",
    8: "pcm_mulaw",
    10: "aac",
    11: "speex",
    14: "mp3",
}
_WITH_HEADER = (7, 12)
"""Classic picture codecs with sequence headers and composition times."""
_FOUR_CC = {
    b"avc1": "h264",
    b"hvc1": "hevc",
    b"vvc1": "vvc",
    b"av01": "av1",
    b"vp08": "vp8",
    b"vp09": "vp9",
    b"mp4a": "aac",
    b"ac-3": "ac3",
    b"ec-3": "eac3",
    b"Opus": "opus",
    b".mp3": "mp3",
    b"fLaC": "flac",
}
_COMPOSED = ("h264", "hevc", "vvc")
"""Codecs with a composition time before coded frames."""
_SEQUENCE_START, _CODED, _CODED_X = 0, 1, 3
_MULTITRACK, _MOD_EX = 6, 7
_MULTITRACK_SOUND = 5
_MOST_MOD_EX = 8
_ONE_TRACK, _MANY_CODECS = 0, 2


class _Body(NamedTuple):
    """What a tag of sound or picture is."""

    codec: str
    kind: int
    """Of Enhanced RTMP; classic tags are told in the same numbers."""
    track: int = 0
    key: bool = False
    begin: int = 0
    """Where the payload begins, in the tag's body."""


class FlvInspector:
    """The inspector of an FLV."""

    def __init__(self) -> None:
        """Nothing has come."""
        self._health = Health(_RATE, _BITS)
        self._rest = bytearray()
        self._need = len(_SIGNATURE)
        """Bytes without which nothing can be completed."""
        self._header = b""
        self._broken = False
        self._meta_data = b""
        self._headers: dict[tuple[int, int], bytes] = {}
        """Sequence headers as whole tags, by kind of tag and track."""
        self._bodies: dict[tuple[int, int], bytes] = {}
        """What they say, without the time they came with."""
        self._codecs: dict[tuple[int, int], str] = {}
        """By kind of tag and track."""
        self._revision = 0

    @property
    def prelude(self) -> bytes:
        """Header, metadata, and the newest sequence headers: the pictures' first."""
        headers = (self._headers[key] for key in sorted(self._headers, key=_picture_first))
        return self._header + self._meta_data + b"".join(headers)

    @property
    def revision(self) -> int:
        """Counts sequence headers that are unlike those before them."""
        return self._revision

    @property
    def elapsed(self) -> int:
        """Microseconds that the feed's timestamps have gone on."""
        return self._health.clock.elapsed

    def push(self, data: bytes, now: int) -> list[Piece]:
        """The tags that `data`, which came at `now`, completes, cut before keyframes."""
        self._health.came(len(data), now)
        if self._broken:
            return [Piece(bytes(data), starts=False)] if data else []
        if self._rest or len(data) < self._need:
            self._rest += data
            if len(self._rest) < self._need:
                return []
            data = bytes(self._rest)
        tags = bytes(data)
        end, cuts = self._walk(tags, now)
        if self._rest or end < len(tags):
            self._rest = bytearray(tags[end:])
        if not cuts:
            return [Piece(tags[:end], starts=False)] if end else []
        bounds = [0, *(cut for cut in cuts if cut), end]
        return [
            Piece(tags[begin:after], starts=begin in cuts)
            for begin, after in pairwise(bounds)
            if after > begin
        ]

    def report(self, now: int) -> Report:
        """How the feed is at `now`."""
        audio = tuple(self._codecs[key] for key in sorted(self._codecs) if key[0] == _AUDIO)
        return self._health.report(now, self._codecs.get((_VIDEO, 0), ""), audio)

    def _walk(self, tags: bytes, now: int) -> tuple[int, list[int]]:
        """Where the last whole tag ends, and where keyframes begin."""
        at, size, cuts = 0, len(tags), list[int]()
        if not self._header:
            at = self._begin(tags)
            if at <= 0:
                return (0 if at == 0 else self._give_up(tags)), cuts
        while size - at >= _TAG:
            kind = tags[at]
            length = int.from_bytes(tags[at + 1 : at + 4])
            end = at + _TAG + length + _TRAILER
            if kind & _RESERVED or kind & _KIND not in (_AUDIO, _VIDEO, _SCRIPT):
                return self._give_up(tags), cuts
            if end > size:
                self._need = end - at
                return at, cuts
            if self._tag(tags, at, length, now):
                cuts.append(at)
            at = end
        self._need = _TAG
        return at, cuts

    def _give_up(self, tags: bytes) -> int:
        self._broken = True
        return len(tags)

    def _begin(self, tags: bytes) -> int:
        """The size of the header, once it is there; less than nothing where it is none."""
        if not tags.startswith(_SIGNATURE):
            return -1
        self._need = _HEADER
        if len(tags) < _HEADER:
            return 0
        offset = int.from_bytes(tags[5:_HEADER])
        if not _HEADER <= offset <= _LONGEST_HEADER:
            return -1
        self._need = offset + _TRAILER
        if len(tags) < self._need:
            return 0
        self._header = tags[: self._need]
        return self._need

    def _tag(self, tags: bytes, at: int, length: int, now: int) -> bool:
        """Look at a whole tag. Returns: whether it is a keyframe."""
        kind = tags[at]
        if kind & _ENCRYPTED or not length:
            return False
        begin = at + _TAG
        end = begin + length
        if kind == _SCRIPT:
            if tags.startswith(_META_DATA, begin) and length <= _LONGEST_KEPT:
                self._meta_data = tags[at : end + _TRAILER]
            return False
        read = _video if kind == _VIDEO else _audio
        head = tags[begin : min(end, begin + _LOOKED_AT)]
        body = read(head)
        if body is None:
            return False
        if (kind, body.track) in self._codecs or len(self._codecs) < _MAX_TRACKS:
            self._codecs[kind, body.track] = body.codec
        if body.kind == _SEQUENCE_START:
            self._keep(kind, body, tags[at : end + _TRAILER])
            return False
        if body.track or body.kind not in (_CODED, _CODED_X):
            return False
        decoded = int.from_bytes(tags[at + 4 : at + 7]) | tags[at + 7] << 24
        if kind == _AUDIO:
            self._hear(decoded, now)
            return False
        return self._see(decoded, head, body, now)

    def _hear(self, heard: int, now: int) -> None:
        self._health.sound(heard, now)
        if (_VIDEO, 0) not in self._codecs:
            self._health.clock.seen(heard, now)

    def _see(self, decoded: int, head: bytes, body: _Body, now: int) -> bool:
        self._health.picture(decoded, now)
        self._health.clock.seen(decoded, now)
        if body.key:
            shown = decoded
            if body.kind == _CODED and body.codec in _COMPOSED:
                ahead = int.from_bytes(head[body.begin : body.begin + 3], signed=True)
                shown += ahead
            self._health.keyframe(shown)
        return body.key

    def _keep(self, kind: int, body: _Body, tag: bytes) -> None:
        """Keep a sequence header for the prelude."""
        key = kind, body.track
        fresh = key not in self._headers
        if len(tag) > _LONGEST_KEPT or (fresh and len(self._headers) >= _MAX_TRACKS):
            return
        self._headers[key] = tag
        content = tag[_TAG:-_TRAILER]
        if self._bodies.get(key) != content:
            self._bodies[key] = content
            self._revision += 1


def _picture_first(key: tuple[int, int]) -> tuple[int, int]:
    return -key[0], key[1]


def _video(data: bytes) -> _Body | None:
    """What the body of a picture's tag is; None where that is nothing to look at."""
    first = data[0]
    key = first >> 4 & 7 in _KEYFRAMES
    if first & _ENHANCED:
        command = first >> 4 & 7 == _COMMAND
        return None if command else _enhanced(data, _MULTITRACK, _MOD_EX, key=key)
    number = first & 15
    codec = _VIDEO_CODECS.get(number, "")
    if first >> 4 == _COMMAND or not codec:
        return None
    if number not in _WITH_HEADER:
        return _Body(codec, _CODED_X, key=key)
    if len(data) < 5:  # noqa: PLR2004 - packet type and composition time
        return None
    return _Body(codec, data[1], key=key, begin=2)


def _audio(data: bytes) -> _Body | None:
    """What the body of a sound's tag is; None where that is nothing to look at."""
    number = data[0] >> 4
    if number == _ENHANCED_SOUND:
        return _enhanced(data, _MULTITRACK_SOUND, _MOD_EX, key=False)
    codec = _AUDIO_CODECS.get(number, "")
    if not codec:
        return None
    if number != _AAC:
        return _Body(codec, _CODED)
    return _Body(codec, data[1]) if len(data) > 1 else None


def _enhanced(data: bytes, multitrack: int, mod_ex: int, *, key: bool) -> _Body | None:
    """What a body of Enhanced RTMP is: its first track, where it has several."""
    kind, at = data[0] & 15, 1
    for _ in range(_MOST_MOD_EX):
        if kind != mod_ex or at + 3 > len(data):
            break
        size, at = data[at] + 1, at + 1
        if size == 256:  # noqa: PLR2004 - then it is in two more bytes
            size, at = int.from_bytes(data[at : at + 2]) + 1, at + 2
        at += size
        if at >= len(data):
            return None
        kind, at = data[at] & 15, at + 1
    tracks = -1
    if kind == multitrack and at < len(data):
        tracks, kind, at = data[at] >> 4, data[at] & 15, at + 1
    codec = _FOUR_CC.get(data[at : at + 4], "")
    at += 4
    if not codec or tracks > _MANY_CODECS:
        return None
    if tracks < 0:
        return _Body(codec, kind, key=key, begin=at)
    if at >= len(data):
        return None
    number = data[at]
    at += 1 if tracks == _ONE_TRACK else 4  # several have a size each
    return _Body(codec, kind, number, key, at)
