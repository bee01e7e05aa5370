"""What a channel says of itself: to the log, and to the file that the status page reads."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from packager.clock import Clock
from packager.layout import STATUS
from packager.status import ChannelState, ChannelStatus, encode


class Teller:
    """Says how one channel is."""

    def __init__(self, name: str, folder: Path, status: ChannelStatus, clock: Clock) -> None:
        """Begin with `status`, which is not written yet."""
        self.log = structlog.get_logger().bind(channel=name)
        self.status = status
        self.make_room: Callable[[], None] | None = None
        """Gives back what was set aside on the disk; None where nothing was."""
        self._path = folder / STATUS
        self._clock = clock

    def problem(self, event: str, problem: str, **said: str) -> None:
        """Name what is wrong but stops nothing, in the log and in the status."""
        self.log.warning(event, problem=problem, **said)
        self.note(problem=problem)

    def note(self, **changes: object) -> None:
        """Say it with the next state."""
        if changes.get("problem"):
            changes["problem_at"] = self._clock.now()
        self.status = msgspec.structs.replace(self.status, **changes)

    def state(self, state: ChannelState, **changes: object) -> None:
        """Say how the channel is, in the file that the status page reads."""
        if state is not self.status.state:
            changes["since"] = self._clock.now()
            self.log.info("channel.state", state=state)
        self.note(state=state, **changes)
        try:
            self._write()
        except OSError as error:
            # Only people miss it; the media goes on.
            self.log.warning("status.unwritten", problem=str(error))

    def _write(self) -> None:
        partial = self._path.with_suffix(".partial")
        try:
            partial.write_bytes(encode(self.status))
        except OSError:
            if self.make_room is None:
                raise
            # What is wrong with a full disk must be told all the same.
            self.make_room()
            partial.write_bytes(encode(self.status))
        partial.replace(self._path)
