"""What a publisher by RTMP costs: the protocol alone, without a socket.

    PYTHONPATH=. python bench/rtmp.py [--seconds 3] [--rounds 15]

6 Mbit/s of pictures and sound, in chunks of the sizes that encoders use, come in pieces of one
packet, of what a hundredth of a second brings, and of 16 KiB. Told is the share of a core that the
quickest of several rounds took.
"""

import argparse
import os
import time

from packager.rtmp.message import Kind
from packager.rtmp.session import Event, Media, PublishWanted, Session
from tests.support.rtmp import ChunkWriter, Sent, opening

BYTES_A_SECOND = 750_000
FRAMES, SOUNDS, SOUND = 25, 47, 360
"""Pictures and pieces of sound in a second, bytes of such a piece."""
PICTURE = BYTES_A_SECOND // FRAMES - SOUNDS * SOUND // FRAMES
LATE = 0x1000000
"""Milliseconds from which on a timestamp does not go into a header's three bytes."""


def published(size: int, start: int, seconds: int) -> bytes:
    """What an encoder sends in that time, in chunks of `size`."""
    opened = opening(ChunkWriter(), size=size)
    writer = ChunkWriter(size)
    picture, sound = b"\x17\x01" + os.urandom(PICTURE), b"\xaf\x01" + os.urandom(SOUND)
    pictures = (Sent(Kind.VIDEO, picture, 1000 * n // FRAMES) for n in range(FRAMES * seconds))
    sounds = (Sent(Kind.AUDIO, sound, 1000 * n // SOUNDS) for n in range(SOUNDS * seconds))
    sent = sorted((*pictures, *sounds), key=lambda message: message.timestamp)
    return opened + b"".join(
        writer.whole(
            Sent(message.kind, message.payload, start + message.timestamp),
            6 if message.kind == Kind.VIDEO else 4,
        )
        for message in sent
    )


def brought(events: list[Event], session: Session) -> int:
    """Bytes of media in what came of some bytes."""
    if events and isinstance(events[-1], PublishWanted):
        events = session.accept()
    return sum(len(event.data) for event in events if isinstance(event, Media))


def cost(data: bytes, piece: int) -> float:
    """Seconds of a core that `data` takes, when it comes in such pieces."""
    session, came = Session(), 0
    begun = time.process_time()
    for at in range(0, len(data), piece):
        came += brought(session.receive(data[at : at + piece]), session)
    taken = time.process_time() - begun
    if came < len(data) * 0.95:
        raise SystemExit(f"of {len(data)} bytes, {came} came out")
    return taken


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=15)
    said = parser.parse_args()
    for start, when in ((0, ""), (LATE, ", extended timestamps")):
        for size in (128, 4096, 60_000):
            data = published(size, start, said.seconds)
            for piece in (1448, BYTES_A_SECOND // 100, 16384):
                best = min(cost(data, piece) for _ in range(said.rounds))
                share = 100 * best / said.seconds
                print(f"chunks of {size}{when}, pieces of {piece}: {share:.2f} % of a core")


if __name__ == "__main__":
    main()
