"""Cost of an RTMP publisher: the protocol alone, without a socket.

    PYTHONPATH=. python bench/rtmp.py [--seconds 3] [--rounds 15]

6 Mbit/s of video and audio, in chunks of the sizes that encoders use. The bytes arrive in pieces of
one packet, of a hundredth of a second, or of 16 KiB. Printed is the share of a core that the
fastest of several rounds used.
"""

import argparse
import os
import time

from packager.rtmp.message import MessageType
from packager.rtmp.session import Event, PublishWanted, RtmpMedia, RtmpSession
from tests.support.rtmp import ChunkWriter, Sent, opening

BYTES_A_SECOND = 750_000
FRAMES, SOUNDS, SOUND = 25, 47, 360
"""Video frames and audio frames per second, bytes of an audio frame."""
PICTURE = BYTES_A_SECOND // FRAMES - SOUNDS * SOUND // FRAMES
LATE = 0x1000000
"""Milliseconds from which a timestamp exceeds a header's three bytes."""


def published(size: int, start: int, seconds: int) -> bytes:
    """The bytes that an encoder sends in that time, in chunks of `size`."""
    opened = opening(ChunkWriter(), size=size)
    writer = ChunkWriter(size)
    picture, audio = b"\x17\x01" + os.urandom(PICTURE), b"\xaf\x01" + os.urandom(SOUND)
    pictures = (
        Sent(MessageType.VIDEO, picture, 1000 * n // FRAMES) for n in range(FRAMES * seconds)
    )
    audios = (Sent(MessageType.AUDIO, audio, 1000 * n // SOUNDS) for n in range(SOUNDS * seconds))
    sent = sorted((*pictures, *audios), key=lambda message: message.timestamp)
    return opened + b"".join(
        writer.whole(
            Sent(message.kind, message.payload, start + message.timestamp),
            6 if message.kind == MessageType.VIDEO else 4,
        )
        for message in sent
    )


def brought(events: list[Event], session: RtmpSession) -> int:
    """Bytes of media in the events of some bytes."""
    if events and isinstance(events[-1], PublishWanted):
        events = session.accept()
    return sum(len(event.data) for event in events if isinstance(event, RtmpMedia))


def cost(data: bytes, piece: int) -> float:
    """Seconds of a core that `data` uses if it arrives in such pieces."""
    session, came = RtmpSession(), 0
    begun = time.process_time()
    for at in range(0, len(data), piece):
        came += brought(session.receive(data[at : at + piece]), session)
    taken = time.process_time() - begun
    if came < len(data) * 0.95:
        raise SystemExit(f"of {len(data)} bytes, {came} came out")
    return taken


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    for start, when in ((0, ""), (LATE, ", extended timestamps")):
        for size in (128, 4096, 60_000):
            data = published(size, start, arguments.seconds)
            for piece in (1448, BYTES_A_SECOND // 100, 16384):
                best = min(cost(data, piece) for _ in range(arguments.rounds))
                share = 100 * best / arguments.seconds
                print(f"chunks of {size}{when}, pieces of {piece}: {share:.2f} % of a core")


if __name__ == "__main__":
    main()
