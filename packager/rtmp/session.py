"""One connection of a publisher: bytes in, events out. It never waits and never raises.

GREETED     connect with the app `live`      -> CONNECTED
CONNECTED   publish: event PublishWanted     -> ASKING
ASKING      accept()                         -> PUBLISHING: events RtmpMedia
ASKING      dismiss()                        -> ENDED
PUBLISHING  FCUnpublish, deleteStream, ...   -> ENDED
any         an error, dismiss()              -> ENDED: event SessionEnded
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from packager.rtmp import replies
from packager.rtmp.address import APP, below, keys
from packager.rtmp.amf import Value, read_values
from packager.rtmp.chunks import ChunkLimits, ChunkReader
from packager.rtmp.error import RtmpError
from packager.rtmp.flv import FlvTags
from packager.rtmp.handshake import Handshake
from packager.rtmp.message import MessageType, RtmpMessage

_LIMITS_BEFORE = ChunkLimits(message=1 << 16, together=1 << 17)
_LIMITS_PUBLISHING = ChunkLimits(message=8 << 20, together=16 << 20)
_MAX_MESSAGES_BEFORE = 64
"""Messages until an encoder publishes; usual encoders send six."""
_MAX_COMMAND_SIZE = 1 << 16
_PING = b"\0\x06"
_MIN_WINDOW = 1 << 16


@dataclass(frozen=True, slots=True)
class SendBytes:
    """Bytes to send to the encoder."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PublishWanted:
    """The encoder asks to publish: call `accept` or `dismiss` before any other method."""

    keys: tuple[str, ...] = field(repr=False)
    """All readings of its stream key, the likeliest first; empty if none can be a key."""


@dataclass(frozen=True, slots=True)
class RtmpMedia:
    """Whole tags of an FLV; the first event begins with the file header."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session is over: close the connection once all bytes are sent."""

    reason: str
    farewell: bool = False
    """The encoder ended the session: let it close the connection first, as some expect."""


Event = SendBytes | PublishWanted | RtmpMedia | SessionEnded


class _State(IntEnum):
    GREETED = 0
    CONNECTED = 1
    ASKING = 2
    PUBLISHING = 3
    ENDED = 4


class RtmpSession:
    """The server's side of a connection."""

    def __init__(self) -> None:
        self._handshake: Handshake | None = Handshake()
        self._reader = ChunkReader(_LIMITS_BEFORE)
        self._messages: Iterator[RtmpMessage] = iter(())
        self._waiting = bytearray()
        """Bytes received in the state ASKING."""
        self._state = _State.GREETED
        self._message_count = 0
        self._prefix = ""
        self._stream = 0
        self._stream_count = 0
        self._acknowledgement = _Acknowledgement()
        self._send: list[bytes] = []
        self._tags = FlvTags()
        self._last: PublishWanted | SessionEnded | None = None

    @property
    def publishing(self) -> bool:
        """Whether the encoder publishes."""
        return self._state is _State.PUBLISHING

    def receive(self, data: bytes) -> list[Event]:
        """The events of received bytes."""
        self._acknowledgement.received += len(data)
        try:
            self._read(data)
        except RtmpError as error:
            self._end(str(error))
        return self._events()

    def accept(self) -> list[Event]:
        """Let the encoder publish."""
        if self._state is not _State.ASKING:
            return []
        self._state = _State.PUBLISHING
        self._reader.limits = _LIMITS_PUBLISHING
        self._send.append(replies.published(self._stream))
        waiting, self._waiting = bytes(self._waiting), bytearray()
        try:
            self._take_messages()
            self._read(waiting)
        except RtmpError as error:
            self._end(str(error))
        return self._events()

    def dismiss(self, reason: str) -> list[Event]:
        """Refuse the encoder, or end its publication; the encoder receives `reason`."""
        if self._state is _State.ASKING:
            self._send.append(replies.bad_name(self._stream, reason))
        elif self._state is _State.PUBLISHING:
            self._send.append(replies.closed(self._stream, reason))
        if self._state is not _State.ENDED:
            self._end(reason)
        return self._events()

    def _events(self) -> list[Event]:
        events = list[Event]()
        media = self._tags.take()
        if media:
            events.append(RtmpMedia(media))
        if self._send:
            events.append(SendBytes(b"".join(self._send)))
            self._send.clear()
        if self._last is not None:
            events.append(self._last)
            self._last = None
        return events

    def _end(self, reason: str, *, farewell: bool = False) -> None:
        self._state = _State.ENDED
        self._messages = iter(())
        self._last = SessionEnded(reason, farewell)

    def _read(self, data: bytes) -> None:
        if self._state is _State.ENDED:
            return
        if self._handshake is not None:
            reply, rest = self._handshake.receive(data)
            if reply:
                self._send.append(reply)
            if rest is None:
                return
            self._handshake, data = None, rest
        if self._state is _State.ASKING:
            if len(self._waiting) + len(data) > _LIMITS_BEFORE.together:
                raise RtmpError("too many bytes before the permission to publish")
            self._waiting += data
            return
        self._messages = self._reader.push(data)
        self._take_messages()

    def _take_messages(self) -> None:
        """Process messages, up to a request to publish."""
        for message in self._messages:
            self._process(message)
            if self._state in {_State.ASKING, _State.ENDED}:
                return
        if self._acknowledgement.is_due():
            self._send.append(replies.acknowledged(self._acknowledgement.send()))

    def _process(self, message: RtmpMessage) -> None:
        was_publishing = self._state is _State.PUBLISHING
        if not (was_publishing and self._take_media(message)):
            self._process_control(message)
        if not was_publishing:
            self._message_count += 1
            if self._message_count > _MAX_MESSAGES_BEFORE:
                raise RtmpError(f"nothing is published after {_MAX_MESSAGES_BEFORE} messages")

    def _take_media(self, message: RtmpMessage) -> bool:
        """Take a message with media or metadata. Returns: whether it was one."""
        match message.kind:
            case MessageType.AUDIO | MessageType.VIDEO:
                self._tags.media(message)
            case MessageType.AGGREGATE:
                self._tags.aggregate(message)
            case MessageType.DATA:
                self._tags.metadata(message.payload, message.timestamp)
            case MessageType.DATA_AMF3:
                # A byte 0, then AMF0.
                self._tags.metadata(message.payload[1:], message.timestamp)
            case _:
                return False
        return True

    def _process_control(self, message: RtmpMessage) -> None:
        match message.kind:
            case MessageType.COMMAND:
                self._command(message.payload, message.stream)
            case MessageType.COMMAND_AMF3:
                self._command(message.payload[1:], message.stream)
            case MessageType.WINDOW:
                self._acknowledgement.set_window(int.from_bytes(message.payload[:4]))
            case MessageType.USER_CONTROL if message.payload[:2] == _PING:
                self._send.append(replies.pong(message.payload[2:6]))
            case _:
                pass

    def _command(self, payload: bytes, stream: int) -> None:
        if len(payload) > _MAX_COMMAND_SIZE:
            raise RtmpError(
                f"a command of {len(payload)} bytes; the limit is {_MAX_COMMAND_SIZE} bytes"
            )
        match read_values(payload):
            case [str(name), float(transaction), *rest]:
                self._call(name, transaction, rest, stream)
            case _:
                raise RtmpError("a command without a name or a transaction number")

    def _call(self, name: str, transaction: float, rest: list[Value], stream: int) -> None:
        if name == "connect":
            self._connect(transaction, rest)
        elif self._state is _State.GREETED:
            raise RtmpError("a command before connect")
        elif name == "createStream":
            self._stream_count += 1
            self._send.append(replies.result(transaction, None, self._stream_count))
        elif name == "publish":
            self._publish(rest, stream)
        elif name in {"releaseStream", "FCPublish"}:
            self._send.append(replies.result(transaction, None, None))
        elif name in {"FCUnpublish", "closeStream", "deleteStream"}:
            if self._state is _State.PUBLISHING:
                self._send.append(replies.unpublished(self._stream))
                self._end("the encoder stopped publishing", farewell=True)
        elif name in {"play", "play2"}:
            raise RtmpError("a player connected: this server accepts publishers only")

    def _connect(self, transaction: float, rest: list[Value]) -> None:
        if self._state is not _State.GREETED:
            raise RtmpError("a second connect")
        properties = rest[0] if rest and isinstance(rest[0], dict) else {}
        app = properties.get("app")
        prefix = below(app) if isinstance(app, str) else None
        if prefix is None:
            # The reason does not name the app: it may be a stream key in the wrong place.
            reason = f"no such app; publish to /{APP}/KEY"
            self._send.append(replies.rejected(transaction, reason))
            self._end(reason)
            return
        self._prefix = prefix
        self._state = _State.CONNECTED
        self._send.append(replies.connected(transaction, properties))

    def _publish(self, rest: list[Value], stream: int) -> None:
        match rest:
            case [_, str(name), *_]:
                pass
            case _:
                raise RtmpError("publish without a stream name")
        if self._state is not _State.CONNECTED:
            raise RtmpError("a second publish")
        self._stream = stream
        self._state = _State.ASKING
        self._last = PublishWanted(keys(self._prefix, name))


@dataclass(slots=True)
class _Acknowledgement:
    """Counts received bytes, to acknowledge them every half window (section 5.4.3)."""

    received: int = 0
    _window: int = replies.WINDOW
    _acknowledged: int = 0

    def set_window(self, size: int) -> None:
        """Use the window that the encoder asks for, within limits."""
        self._window = max(_MIN_WINDOW, min(size, replies.WINDOW))

    def is_due(self) -> bool:
        """Whether half a window has been received since the last acknowledgement."""
        return self.received - self._acknowledged >= self._window // 2

    def send(self) -> int:
        """The number of bytes to acknowledge."""
        self._acknowledged = self.received
        return self.received
