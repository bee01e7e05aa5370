"""What ends a connection."""

from packager.errors import FeedError


class RtmpError(FeedError):
    """Bytes that no encoder sends; one line, with nothing in it that came from outside."""
