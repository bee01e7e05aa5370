"""The error that ends a connection."""

from packager.errors import FeedError


class RtmpError(FeedError):
    """Bytes that no encoder sends; the text is one line and quotes no received bytes."""
