"""Inspects an FLV (Adobe's specification 10.1, annex E), with the tags of Enhanced RTMP.

From the first byte on that is no FLV, the inspector passes all bytes on without inspection.
"""

from collections import deque
from itertools import pairwise
from typing import NamedTuple

import msgspec

from packager.container.flv_body import (
    CODED_FRAMES,
    CODED_FRAMES_X,
    HEAD_SIZE,
    SEQUENCE_START,
    FlvBody,
    parse_audio,
    parse_video,
)
from packager.container.flv_tag import (
    FILTER_FLAG,
    HEADER_SIZE,
    ON_META_DATA,
    RESERVED_MASK,
    SIGNATURE,
    TAG_HEADER_SIZE,
    TAG_TYPES,
    TRAILER_SIZE,
    TYPE_MASK,
    TagType,
    body_size,
    tag_time,
    with_time,
)
from packager.feed.report import FeedPiece, Report
from packager.feed.statistics import FeedStatistics
from packager.timing.time_alignment import TimeAlignment
from packager.timing.timestamp_counter import FLV_TIMESTAMPS

_MAX_HEADER_SIZE = 1024
_MAX_KEPT_SIZE = 1 << 16
"""Bytes of a sequence header or of metadata that the prelude keeps."""
_MAX_TRACKS = 16
_VIDEO_TRACK = (TagType.VIDEO, 0)


class FlvInspector:
    """The inspector of an FLV."""

    def __init__(self) -> None:
        self._statistics = FeedStatistics(FLV_TIMESTAMPS)
        self._alignment = TimeAlignment(FLV_TIMESTAMPS)
        self._edits: list[_Edit] = []
        """Of the tags that are being pushed."""
        self._changes: list[int] = []
        """Offsets of changed sequence headers among them."""
        self._rest = bytearray()
        self._need = len(SIGNATURE)
        """Bytes without which nothing is complete."""
        self._header = b""
        self._is_broken = False
        self._metadata = b""
        self._headers: dict[tuple[int, int], bytes] = {}
        """Sequence headers as whole tags, by tag type and track."""
        self._codecs: dict[tuple[int, int], str] = {}
        """By tag type and track."""
        self._revision = 0

    @property
    def prelude(self) -> bytes:
        """File header, metadata and the newest sequence headers, video first."""
        headers = (self._headers[key] for key in sorted(self._headers, key=_video_first))
        return self._header + self._metadata + b"".join(headers)

    @property
    def revision(self) -> int:
        """Counts sequence headers that differ from those before them."""
        return self._revision

    @property
    def absent(self) -> frozenset[int]:
        """Nothing: an FLV announces no streams that its prelude lacks."""
        return frozenset()

    @property
    def frame_step(self) -> int | None:
        """Microseconds between the last two frames; None before a second."""
        return self._statistics.frame_step

    @property
    def elapsed(self) -> int:
        """Microseconds that the feed's timestamps have advanced."""
        return self._statistics.clock.elapsed

    def push(self, data: bytes, now: int) -> list[FeedPiece]:
        """The tags that `data`, received at `now`, completes, cut before keyframes."""
        self._statistics.received(len(data), now)
        if self._is_broken:
            return [FeedPiece(bytes(data), starts=False)] if data else []
        if self._rest or len(data) < self._need:
            self._rest += data
            if len(self._rest) < self._need:
                return []
            data = bytes(self._rest)
        tags = bytes(data)
        end, keyframes = self._walk(tags, now)
        if self._rest or end < len(tags):
            self._rest = bytearray(tags[end:])
        if not (keyframes or self._edits or self._changes):
            return [FeedPiece(tags[:end], starts=False)] if end else []
        edits, self._edits = deque(self._edits), []
        changes, self._changes = self._changes, []
        bounds = sorted({0, end, *keyframes, *changes})
        pieces = (
            FeedPiece(_edited(tags, begin, after, edits), begin in keyframes, begin in changes)
            for begin, after in pairwise(bounds)
        )
        return [piece for piece in pieces if piece.data]

    def report(self, now: int) -> Report:
        """The condition of the feed at `now`."""
        audio = (self._codecs[key] for key in sorted(self._codecs) if key[0] == TagType.AUDIO)
        report = self._statistics.report(now, self._codecs.get(_VIDEO_TRACK, ""), tuple(audio))
        return msgspec.structs.replace(report, jumps=self._alignment.jumps)

    def _walk(self, tags: bytes, now: int) -> tuple[int, list[int]]:
        """The end of the last whole tag, and the offsets of keyframes."""
        at, size, keyframes = 0, len(tags), list[int]()
        if not self._header:
            at = self._read_header(tags)
            if self._is_broken:
                return size, keyframes
            if not at:
                return 0, keyframes
        while size - at >= TAG_HEADER_SIZE:
            kind = tags[at]
            if kind & RESERVED_MASK or kind & TYPE_MASK not in TAG_TYPES:
                self._is_broken = True
                return size, keyframes
            length = body_size(tags, at)
            end = at + TAG_HEADER_SIZE + length + TRAILER_SIZE
            if end > size:
                self._need = end - at
                return at, keyframes
            if length and not kind & FILTER_FLAG and self._inspect(tags, at, length, now):
                keyframes.append(at)
            at = end
        self._need = TAG_HEADER_SIZE
        return at, keyframes

    def _read_header(self, tags: bytes) -> int:
        """Read the file header. Returns: its size; 0 while it is incomplete."""
        self._is_broken = not tags.startswith(SIGNATURE)
        self._need = HEADER_SIZE
        if self._is_broken or len(tags) < HEADER_SIZE:
            return 0
        offset = int.from_bytes(tags[5:HEADER_SIZE])
        self._is_broken = not HEADER_SIZE <= offset <= _MAX_HEADER_SIZE
        self._need = offset + TRAILER_SIZE
        if self._is_broken or len(tags) < self._need:
            return 0
        self._header = tags[: self._need]
        return self._need

    def _inspect(self, tags: bytes, at: int, length: int, now: int) -> bool:
        """Inspect a whole tag with a body of `length` bytes. Returns: whether it is a keyframe."""
        kind, begin = tags[at], at + TAG_HEADER_SIZE
        end = begin + length
        if kind == TagType.SCRIPT:
            if tags.startswith(ON_META_DATA, begin) and length <= _MAX_KEPT_SIZE:
                self._metadata = tags[at : end + TRAILER_SIZE]
            return False
        head = tags[begin : min(end, begin + HEAD_SIZE)]
        body = parse_video(head) if kind == TagType.VIDEO else parse_audio(head)
        if body is None:
            return False
        if (kind, body.track) in self._codecs or len(self._codecs) < _MAX_TRACKS:
            self._codecs[kind, body.track] = body.codec
        if body.packet_type == SEQUENCE_START:
            self._take_header((kind, body.track), body, tags, (at, end + TRAILER_SIZE))
        elif body.packet_type in (CODED_FRAMES, CODED_FRAMES_X):
            time = self._aligned(kind << 8 | body.track, tags, at, now)
            if body.track:
                return False
            if kind == TagType.VIDEO:
                return self._take_frame(time, head, body, now)
            self._take_audio(time, now)
        return False

    def _take_header(
        self, key: tuple[int, int], body: FlvBody, tags: bytes, place: tuple[int, int]
    ) -> None:
        """Take a sequence header; an empty one does not replace a good one."""
        begin, end = place
        if body_size(tags, begin) > body.payload_offset:
            self._keep_header(key, tags[begin:end], begin)
        elif key in self._headers:
            self._edits.append(_Edit(begin, end, b""))

    def _aligned(self, stream: int, tags: bytes, at: int, now: int) -> int:
        """The timestamp with which the tag at `at` leaves, in milliseconds from 0 to 2^32."""
        time = tag_time(tags, at)
        shift = self._alignment.shift(stream, time, now)
        if not shift:
            return time
        time = (time + shift) % FLV_TIMESTAMPS.modulus
        header = tags[at : at + TAG_HEADER_SIZE]
        self._edits.append(_Edit(at, at + TAG_HEADER_SIZE, with_time(header, time)))
        return time

    def _take_audio(self, time: int, now: int) -> None:
        self._statistics.audio(time, now)
        if _VIDEO_TRACK not in self._codecs:
            self._statistics.clock.observe(time, now)

    def _take_frame(self, dts: int, head: bytes, body: FlvBody, now: int) -> bool:
        self._statistics.frame(dts, now)
        self._statistics.clock.observe(dts, now)
        if body.key:
            self._statistics.keyframe(dts + body.composition_time(head))
        return body.key

    def _keep_header(self, key: tuple[int, int], tag: bytes, at: int) -> None:
        """Keep a sequence header, which begins at the offset `at`, for the prelude."""
        known = self._headers.get(key)
        if len(tag) > _MAX_KEPT_SIZE or (known is None and len(self._headers) >= _MAX_TRACKS):
            return
        self._headers[key] = tag
        if known is None or _content(known) != _content(tag):
            self._revision += 1
            if known is not None:
                self._changes.append(at)


class _Edit(NamedTuple):
    """Bytes that replace a tag, or its header."""

    begin: int
    end: int
    data: bytes


def _edited(tags: bytes, begin: int, end: int, edits: deque[_Edit]) -> bytes:
    """The tags from `begin` to `end` with all edits of them, which leave `edits`."""
    parts, at = list[bytes](), begin
    while edits and edits[0].begin < end:
        edit = edits.popleft()
        parts += (tags[at : edit.begin], edit.data)
        at = edit.end
    return b"".join((*parts, tags[at:end])) if parts else tags[begin:end]


def _content(tag: bytes) -> bytes:
    """The body of a whole tag, without its timestamp."""
    return tag[TAG_HEADER_SIZE:-TRAILER_SIZE]


def _video_first(key: tuple[int, int]) -> tuple[int, int]:
    return -key[0], key[1]
