"""What a server says (specification 1.0, section 7.2)."""

from struct import pack

from packager.rtmp.amf import Value, write_values
from packager.rtmp.message import Kind, control, written

WINDOW = 2_500_000
"""Bytes after which we want to hear that ours have come, until which a sender need not wait."""
_STREAM_BEGIN, _PONG = 0, 7
_DYNAMIC = 2
_VIDEO = ("avc1", "hvc1", "av01", "vp09", "vp08")
_AUDIO = ("mp4a", "Opus", "fLaC", "ac-3", "ec-3", ".mp3")
"""What ffmpeg's FLV reader knows of Enhanced RTMP's codecs."""
_FORWARDED = 4
"""Of a codec: it is passed on as it comes (Enhanced RTMP v2, FourCcInfoMask)."""
_ENHANCED = ("fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx")
"""By these an encoder says that it knows Enhanced RTMP."""


def connected(transaction: float, asked: dict[str, Value]) -> bytes:
    """To who connects with the command object `asked`."""
    ours: dict[str, Value] = {}
    if any(name in asked for name in _ENHANCED):
        ours = {
            "fourCcList": [*_VIDEO, *_AUDIO],
            "videoFourCcInfoMap": dict.fromkeys(_VIDEO, _FORWARDED),
            "audioFourCcInfoMap": dict.fromkeys(_AUDIO, _FORWARDED),
            "capsEx": 0,
        }
    server: dict[str, Value] = {"fmsVer": "FMS/3,0,1,123", "capabilities": 31}
    # The draft leaves open which of the two objects the codecs belong to.
    status = _status("status", "NetConnection.Connect.Success", "Connected.") | {
        "objectEncoding": 0
    }
    return b"".join(
        (
            control(Kind.WINDOW, pack(">I", WINDOW)),
            control(Kind.PEER_BANDWIDTH, pack(">IB", WINDOW, _DYNAMIC)),
            result(transaction, server | ours, status | ours),
        )
    )


def rejected(transaction: float, reason: str) -> bytes:
    """To who connects and may not."""
    status = _status("error", "NetConnection.Connect.Rejected", reason)
    return _command("_error", transaction, None, status)


def result(transaction: float, *values: Value) -> bytes:
    """To a call that went well."""
    return _command("_result", transaction, *values)


def published(stream: int) -> bytes:
    """To who may publish."""
    begin = control(Kind.USER_CONTROL, pack(">HI", _STREAM_BEGIN, stream))
    return begin + _on_status(stream, "status", "NetStream.Publish.Start", "Publishing.")


def unpublished(stream: int) -> bytes:
    """To who publishes no more."""
    return _on_status(stream, "status", "NetStream.Unpublish.Success", "Goodbye.")


def bad_name(stream: int, reason: str) -> bytes:
    """To who may not publish."""
    return _on_status(stream, "error", "NetStream.Publish.BadName", reason)


def sent_away(stream: int, reason: str) -> bytes:
    """To who may publish no more."""
    return _on_status(stream, "error", "NetConnection.Connect.Closed", reason)


def acknowledged(count: int) -> bytes:
    """That `count` bytes have come since the connection began."""
    return control(Kind.ACKNOWLEDGEMENT, pack(">I", count & 0xFFFFFFFF))


def pong(time: bytes) -> bytes:
    """To a ping with `time`."""
    return control(Kind.USER_CONTROL, pack(">H", _PONG) + time)


def _on_status(stream: int, level: str, code: str, description: str) -> bytes:
    return _command("onStatus", 0, None, _status(level, code, description), stream=stream)


def _status(level: str, code: str, description: str) -> dict[str, Value]:
    return {"level": level, "code": code, "description": description}


def _command(name: str, transaction: float, *values: Value, stream: int = 0) -> bytes:
    return written(Kind.COMMAND, write_values(name, transaction, *values), stream=stream)
