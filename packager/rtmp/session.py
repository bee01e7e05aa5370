"""One connection of somebody who publishes: bytes in, events out. It never waits nor raises.

handshake -> connect -> createStream -> publish -> PublishWanted -> accept() -> Media ... Ended
                                                                 -> dismiss() -> Ended
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from packager.rtmp import replies
from packager.rtmp.address import APP, below, keys
from packager.rtmp.amf import Value, read_values
from packager.rtmp.chunks import ChunkReader, Limits
from packager.rtmp.error import RtmpError
from packager.rtmp.flv import FlvTags
from packager.rtmp.handshake import Handshake
from packager.rtmp.message import Kind, Message

_BEFORE = Limits(message=1 << 16, together=1 << 17)
_PUBLISHING = Limits(message=8 << 20, together=16 << 20)
_MESSAGES_BEFORE = 64
"""Messages until somebody publishes: a tenth is usual."""
_LONGEST_COMMAND = 1 << 16
_PING = b"\0\x06"
_SMALLEST_WINDOW = 1 << 16


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes for the other side."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PublishWanted:
    """Somebody wants to publish: say `accept` or `dismiss`, before all else."""

    keys: tuple[str, ...] = field(repr=False)
    """What it says its key is, in every way that can be read; none if that can be no key."""


@dataclass(frozen=True, slots=True)
class Media:
    """Whole tags of an FLV; the first begins with its header."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more is said or heard: hang up, once all is sent."""

    reason: str
    farewell: bool = False
    """The other side said so: it hangs up itself, and some take it ill if we are quicker."""


Event = Send | PublishWanted | Media | Ended


class _State(IntEnum):
    GREETED = 0
    CONNECTED = 1
    ASKING = 2
    PUBLISHING = 3
    ENDED = 4


class Session:
    """The server's side."""

    def __init__(self) -> None:
        self._handshake: Handshake | None = Handshake()
        self._reader = ChunkReader(_BEFORE)
        self._messages: Iterator[Message] = iter(())
        self._waiting = bytearray()
        """What came while nobody had said whether it may publish."""
        self._state = _State.GREETED
        self._count = 0
        self._prefix = ""
        self._stream = 0
        self._streams = 0
        self._window = replies.WINDOW
        self._received = 0
        self._acknowledged = 0
        self._send: list[bytes] = []
        self._tags = FlvTags()
        self._last: PublishWanted | Ended | None = None

    @property
    def publishing(self) -> bool:
        """Whether somebody was let in, and is there."""
        return self._state is _State.PUBLISHING

    def receive(self, data: bytes) -> list[Event]:
        """What comes of `data`."""
        self._received += len(data)
        try:
            self._read(data)
        except RtmpError as error:
            self._end(str(error))
        return self._events()

    def accept(self) -> list[Event]:
        """Let in who wants to publish."""
        if self._state is not _State.ASKING:
            return []
        self._state = _State.PUBLISHING
        self._reader.limits = _PUBLISHING
        self._send.append(replies.published(self._stream))
        waiting, self._waiting = bytes(self._waiting), bytearray()
        try:
            self._take()
            self._read(waiting)
        except RtmpError as error:
            self._end(str(error))
        return self._events()

    def dismiss(self, reason: str) -> list[Event]:
        """Send away who wants to publish, or does; `reason` is told."""
        if self._state is _State.ASKING:
            self._send.append(replies.bad_name(self._stream, reason))
        elif self._state is _State.PUBLISHING:
            self._send.append(replies.sent_away(self._stream, reason))
        if self._state is not _State.ENDED:
            self._end(reason)
        return self._events()

    def _events(self) -> list[Event]:
        events = list[Event]()
        media = self._tags.take()
        if media:
            events.append(Media(media))
        if self._send:
            events.append(Send(b"".join(self._send)))
            self._send.clear()
        if self._last is not None:
            events.append(self._last)
            self._last = None
        return events

    def _end(self, reason: str, *, farewell: bool = False) -> None:
        self._state = _State.ENDED
        self._messages = iter(())
        self._last = Ended(reason, farewell)

    def _read(self, data: bytes) -> None:
        if self._state is _State.ENDED:
            return
        if self._handshake is not None:
            answer, rest = self._handshake.receive(data)
            if answer:
                self._send.append(answer)
            if rest is None:
                return
            self._handshake, data = None, rest
        if self._state is _State.ASKING:
            if len(self._waiting) + len(data) > _BEFORE.together:
                raise RtmpError("more than can wait for leave to publish")
            self._waiting += data
            return
        self._messages = self._reader.push(data)
        self._take()

    def _take(self) -> None:
        """Take messages until there are no more, or leave to publish is wanted first."""
        for message in self._messages:
            self._message(message)
            if self._state in {_State.ASKING, _State.ENDED}:
                return
        if self._received - self._acknowledged >= self._window // 2:
            self._acknowledged = self._received
            self._send.append(replies.acknowledged(self._received))

    def _message(self, message: Message) -> None:
        publishing = self._state is _State.PUBLISHING
        match message.kind:
            case Kind.AUDIO | Kind.VIDEO if publishing:
                self._tags.media(message)
            case Kind.AGGREGATE if publishing:
                self._tags.aggregate(message)
            case Kind.DATA if publishing:
                self._tags.description(message.payload, message.timestamp)
            case Kind.DATA_AMF3 if publishing:
                # An octet that is 0, and AMF0.
                self._tags.description(message.payload[1:], message.timestamp)
            case Kind.COMMAND:
                self._command(message.payload, message.stream)
            case Kind.COMMAND_AMF3:
                self._command(message.payload[1:], message.stream)
            case Kind.WINDOW:
                window = int.from_bytes(message.payload[:4])
                self._window = max(_SMALLEST_WINDOW, min(window, replies.WINDOW))
            case Kind.USER_CONTROL if message.payload[:2] == _PING:
                self._send.append(replies.pong(message.payload[2:6]))
            case _:
                pass
        if not publishing:
            self._count += 1
            if self._count > _MESSAGES_BEFORE:
                raise RtmpError(f"{_MESSAGES_BEFORE} messages, and nothing is published")

    def _command(self, payload: bytes, stream: int) -> None:
        if len(payload) > _LONGEST_COMMAND:
            raise RtmpError(f"a command of {len(payload)} bytes; {_LONGEST_COMMAND} are the most")
        match read_values(payload):
            case [str(name), float(transaction), *rest]:
                self._called(name, transaction, rest, stream)
            case _:
                raise RtmpError("a command without name or transaction")

    def _called(self, name: str, transaction: float, rest: list[Value], stream: int) -> None:
        if name == "connect":
            self._connect(transaction, rest)
        elif self._state is _State.GREETED:
            raise RtmpError("a command comes before connect")
        elif name == "createStream":
            self._streams += 1
            self._send.append(replies.result(transaction, None, self._streams))
        elif name == "publish":
            self._publish(rest, stream)
        elif name in {"releaseStream", "FCPublish"}:
            self._send.append(replies.result(transaction, None, None))
        elif name in {"FCUnpublish", "closeStream", "deleteStream"}:
            if self._state is _State.PUBLISHING:
                self._send.append(replies.unpublished(self._stream))
                self._end("the encoder has stopped", farewell=True)
        elif name in {"play", "play2"}:
            raise RtmpError("somebody wants to watch, not to publish")

    def _connect(self, transaction: float, rest: list[Value]) -> None:
        if self._state is not _State.GREETED:
            raise RtmpError("connect comes twice")
        asked = rest[0] if rest and isinstance(rest[0], dict) else {}
        app = asked.get("app")
        prefix = below(app) if isinstance(app, str) else None
        if prefix is None:
            # Its name is not told: it may be a key in the wrong place.
            reason = f"no such app; publish to /{APP}/KEY"
            self._send.append(replies.rejected(transaction, reason))
            self._end(reason)
            return
        self._prefix = prefix
        self._state = _State.CONNECTED
        self._send.append(replies.connected(transaction, asked))

    def _publish(self, rest: list[Value], stream: int) -> None:
        match rest:
            case [_, str(name), *_]:
                pass
            case _:
                raise RtmpError("publish comes without a name")
        if self._state is not _State.CONNECTED:
            raise RtmpError("publish comes twice")
        self._stream = stream
        self._state = _State.ASKING
        self._last = PublishWanted(keys(self._prefix, name))
