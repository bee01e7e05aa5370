"""The packager, with the instant of every chunk's arrival written down beside it.

    probed_packager.py ARRIVALS packager -c FILE

A line a chunk: channel, track, segment number, chunk, and the monotonic nanosecond at which its
last bytes had been read.
"""

import atexit
import sys
from collections.abc import Iterable

from packager import cli


def probe(path: str) -> None:
    """Wrap the two places between which a chunk is published."""
    import time  # noqa: PLC0415 - only where it is measured

    from packager.actions import Action, Broken, Store  # noqa: PLC0415 - the same
    from packager.runtime.intake import Intake  # noqa: PLC0415 - after the metrics' folder is set
    from packager.runtime.publisher import Publisher  # noqa: PLC0415 - the same

    out = open(path, "w", buffering=1 << 16)  # noqa: PTH123, SIM115 - for as long as the process
    atexit.register(out.close)
    arrived = 0
    counts: dict[tuple[str, str, int], int] = {}
    feed, publish = Intake.feed, Publisher.publish

    def probed_feed(self: Intake, track: int, data: bytes) -> list[Broken]:
        nonlocal arrived
        arrived = time.monotonic_ns()
        return feed(self, track, data)

    def probed_publish(self: Publisher, actions: Iterable[Action]) -> list[Broken]:
        kept = list(actions)
        result = publish(self, kept)
        for action in kept:
            if isinstance(action, Store):
                key = (self._channel, action.record.track, action.record.number)
                index = counts.get(key, 0)
                counts[key] = index + 1
                out.write(f"{key[0]} {key[1]} {key[2]} {index} {arrived}\n")
        return result

    Intake.feed = probed_feed  # type: ignore[method-assign]
    Publisher.publish = probed_publish  # type: ignore[method-assign]


def main() -> None:
    """Run `ringside` with the probe in place."""
    original = cli._packager  # noqa: SLF001 - a probe

    def packager(arguments: object) -> None:
        probe(sys.argv[1])
        original(arguments)  # type: ignore[arg-type]

    cli._packager = packager  # type: ignore[assignment]  # noqa: SLF001 - a probe
    cli.main(sys.argv[2:])


if __name__ == "__main__":
    main()
