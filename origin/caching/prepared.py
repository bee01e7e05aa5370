"""A response that can be sent at once: all bytes but the date and the request's id."""

from origin.caching.counters import RequestCounters
from origin.http import http1
from origin.http.response import FileSlice, Response


class PreparedResponse:
    """A response with the lasting part of its head as bytes, and its counters."""

    __slots__ = (
        "body",
        "counters",
        "etag",
        "file_slice",
        "head",
        "not_modified",
        "response",
        "status",
    )

    def __init__(self, response: Response, counters: RequestCounters) -> None:
        self.response = response
        self.status = response.status
        self.body = response.body if isinstance(response.body, bytes) else b""
        self.file_slice = response.body if isinstance(response.body, FileSlice) else None
        """The body where it is in a file."""
        self.etag = response.etag
        self.head = http1.head(response)
        self.counters = counters
        self.not_modified: PreparedResponse | None = None
        """The 304 for the same entity tag; made for the first request that needs it."""

    @property
    def is_truncated(self) -> bool:
        """Whether the body's file was found to be shorter than its record."""
        slice_ = self.file_slice
        return slice_ is not None and slice_.file is not None and slice_.file.is_truncated
