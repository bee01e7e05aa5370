"""The interface of every target that a feed can be sent to."""

from typing import Protocol
from urllib.parse import SplitResult

from packager.feed.report import Container


class SendTarget(Protocol):
    """Sends the bytes of one connection after another."""

    async def begin(self, container: Container) -> None:
        """Connect."""
        ...

    async def write(self, data: bytes, at: int) -> None:
        """Send the bytes of the instant `at`, in microseconds; waits for a slow receiver."""
        ...

    async def end(self) -> None:
        """Disconnect after everything is sent."""
        ...

    async def abort(self) -> None:
        """Break the connection at once."""
        ...


def without_secret(url: SplitResult) -> str:
    """Scheme, host and port of a target; user name, path and query may have a stream key."""
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"
