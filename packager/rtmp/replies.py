"""The messages of the server (specification 1.0, section 7.2)."""

from struct import pack

from packager.rtmp.amf import Value, write_values
from packager.rtmp.message import MessageType, control, written

WINDOW = 2_500_000
"""Acknowledgement window, in bytes, of both directions."""
_STREAM_BEGIN, _PONG = 0, 7
_DYNAMIC = 2
_VIDEO = ("avc1", "hvc1", "av01", "vp09", "vp08")
_AUDIO = ("mp4a", "Opus", "fLaC", "ac-3", "ec-3", ".mp3")
"""The codecs of Enhanced RTMP that ffmpeg's FLV reader supports."""
_FORWARDED = 4
"""The server forwards the codec unchanged (Enhanced RTMP v2, FourCcInfoMask)."""
_ENHANCED = ("fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx")
"""Properties with which an encoder announces Enhanced RTMP."""


def connected(transaction: float, properties: dict[str, Value]) -> bytes:
    """The reply to a connect with the command object `properties`."""
    enhanced: dict[str, Value] = {}
    if any(name in properties for name in _ENHANCED):
        enhanced = {
            "fourCcList": [*_VIDEO, *_AUDIO],
            "videoFourCcInfoMap": dict.fromkeys(_VIDEO, _FORWARDED),
            "audioFourCcInfoMap": dict.fromkeys(_AUDIO, _FORWARDED),
            "capsEx": 0,
        }
    server: dict[str, Value] = {"fmsVer": "FMS/3,0,1,123", "capabilities": 31}
    # The draft does not define which of the two objects contains the codecs: send them in both.
    status = _status("status", "NetConnection.Connect.Success", "Connected.") | {
        "objectEncoding": 0
    }
    return b"".join(
        (
            control(MessageType.WINDOW, pack(">I", WINDOW)),
            control(MessageType.PEER_BANDWIDTH, pack(">IB", WINDOW, _DYNAMIC)),
            result(transaction, server | enhanced, status | enhanced),
        )
    )


def rejected(transaction: float, reason: str) -> bytes:
    """The reply to a refused connect."""
    status = _status("error", "NetConnection.Connect.Rejected", reason)
    return _command("_error", transaction, None, status)


def result(transaction: float, *values: Value) -> bytes:
    """The reply to a successful call."""
    return _command("_result", transaction, *values)


def published(stream: int) -> bytes:
    """The permission to publish."""
    begin = control(MessageType.USER_CONTROL, pack(">HI", _STREAM_BEGIN, stream))
    return begin + _on_status(stream, "status", "NetStream.Publish.Start", "Publishing.")


def unpublished(stream: int) -> bytes:
    """The reply to the end of a publication."""
    return _on_status(stream, "status", "NetStream.Unpublish.Success", "Goodbye.")


def bad_name(stream: int, reason: str) -> bytes:
    """The refusal of a publication."""
    return _on_status(stream, "error", "NetStream.Publish.BadName", reason)


def closed(stream: int, reason: str) -> bytes:
    """The end of a publication by the server."""
    return _on_status(stream, "error", "NetConnection.Connect.Closed", reason)


def acknowledged(count: int) -> bytes:
    """The acknowledgement of `count` bytes since the connection began."""
    return control(MessageType.ACKNOWLEDGEMENT, pack(">I", count & 0xFFFFFFFF))


def pong(time: bytes) -> bytes:
    """The reply to a ping with `time`."""
    return control(MessageType.USER_CONTROL, pack(">H", _PONG) + time)


def _on_status(stream: int, level: str, code: str, description: str) -> bytes:
    return _command("onStatus", 0, None, _status(level, code, description), stream=stream)


def _status(level: str, code: str, description: str) -> dict[str, Value]:
    return {"level": level, "code": code, "description": description}


def _command(name: str, transaction: float, *values: Value, stream: int = 0) -> bytes:
    return written(MessageType.COMMAND, write_values(name, transaction, *values), stream=stream)
