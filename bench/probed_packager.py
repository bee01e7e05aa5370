"""The packager, with a record of the arrival of each chunk.

    probed_packager.py ARRIVALS packager -c FILE

ARRIVALS gets a line for each chunk: channel, track, segment number, chunk, and the monotonic
nanosecond at which its last bytes were read.
"""

import atexit
import sys
import time
from collections.abc import Iterable

from packager.cli import main as cli
from packager.runtime.channel.pipeline import Pipeline
from packager.runtime.storage.publisher import Publisher
from packager.segmenter.actions import Action, EndPeriod, StoreChunk


def probe(path: str) -> None:
    """Wrap the two functions between which a chunk is published."""
    out = open(path, "w", buffering=1 << 16)  # noqa: PTH123, SIM115 - for as long as the process
    atexit.register(out.close)
    arrived = 0
    counts: dict[tuple[str, str, int], int] = {}
    feed, publish = Pipeline.feed, Publisher.publish

    def probed_feed(self: Pipeline, track: int, data: bytes) -> list[EndPeriod]:
        nonlocal arrived
        arrived = time.monotonic_ns()
        return feed(self, track, data)

    def probed_publish(self: Publisher, actions: Iterable[Action]) -> list[EndPeriod]:
        kept = list(actions)
        result = publish(self, kept)
        for action in kept:
            if isinstance(action, StoreChunk):
                key = (self._channel, action.record.track, action.record.number)
                index = counts.get(key, 0)
                counts[key] = index + 1
                out.write(f"{key[0]} {key[1]} {key[2]} {index} {arrived}\n")
        return result

    Pipeline.feed = probed_feed  # type: ignore[method-assign]
    Publisher.publish = probed_publish  # type: ignore[method-assign]


def main() -> None:
    """Run `ringside` with the probe."""
    probe(sys.argv[1])
    cli.main(sys.argv[2:])


if __name__ == "__main__":
    main()
