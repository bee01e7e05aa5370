"""Requests as both lanes see them, parsed from bytes or by aiohttp."""

from typing import NamedTuple, cast

from aiohttp import HttpVersion11, web

from origin.caching.lru import TwoGenerationCache
from origin.http import http1
from origin.http.http1 import HeaderLines
from origin.runtime.content.targets import ResolvedTarget, TargetResolver
from origin.urls.request import may_matter

LONGEST_REMEMBERED = 1024
"""Bytes of a head or a target that is remembered: hostile ones must not fill the memory."""
_BLOCKS = 4096
_TARGETS = 8192
_VERSION = b" HTTP/1.1\r\n"
_CMCD = b"CMCD="


class ParsedRequest(NamedTuple):
    """A request of the public port."""

    target: ResolvedTarget
    lines: HeaderLines
    method: str
    peer: object
    """The client's socket address, or its host alone."""
    cmcd_query: str = ""
    """The query as the client sent it, if it may have CMCD."""
    takes_chunks: bool = True
    """The client understands a chunked body (HTTP/1.1)."""

    @property
    def is_ordinary(self) -> bool:
        """Whether it is a GET whose response and accounting depend on object and coding alone.

        An entity tag to compare with may be in it too.
        """
        return self.method == "GET" and self.lines.are_ordinary and not self.cmcd_query

    @property
    def client(self) -> str:
        """The client's address; empty if it is not known."""
        peer = self.peer
        if isinstance(peer, tuple):
            return str(cast("tuple[object, ...]", peer)[0])
        return str(peer or "")


class PlainRequestParser:
    """Parses plain heads, and remembers header blocks and targets."""

    def __init__(self, targets: TargetResolver) -> None:
        self._resolver = targets
        self.blocks: TwoGenerationCache[bytes, HeaderLines] = TwoGenerationCache(_BLOCKS)
        self.targets: TwoGenerationCache[bytes, ResolvedTarget] = TwoGenerationCache(_TARGETS)

    def parse(self, head: bytes, peer: object) -> ParsedRequest | None:
        """The request with this head; None if it is not plain, and so for aiohttp's parser."""
        if head.startswith(b"GET "):
            method, start = "GET", 4
        elif head.startswith(b"HEAD "):
            method, start = "HEAD", 5
        else:
            return None
        end = head.find(_VERSION, start)
        if end < 0:
            return None
        name = head[start:end]
        lines = self._read_lines(head[end + len(_VERSION) :])
        target = None if lines is None else self._read_target(name)
        if lines is None or target is None:
            return None
        query = name.partition(b"?")[2].decode() if _CMCD in name or lines.cmcd else ""
        return ParsedRequest(target, lines, method, peer, query)

    def _read_lines(self, block: bytes) -> HeaderLines | None:
        if (lines := self.blocks.find(block)) is None:
            lines = http1.read_lines(block)
            if lines is not None and len(block) <= LONGEST_REMEMBERED:
                self.blocks.put(block, lines)
        return lines

    def _read_target(self, name: bytes) -> ResolvedTarget | None:
        """The meaning of a target; None if it is not plain.

        A query that changes nothing is not remembered: each viewer may have another.
        """
        if (target := self.targets.find(name)) is not None:
            return target
        if not http1.is_plain_target(name):
            return None
        path, mark, query = name.partition(b"?")
        if mark and not may_matter(query):
            return self._read_target(path)
        target = self._resolver.resolve(path.decode(), query.decode())
        if len(name) <= LONGEST_REMEMBERED:
            self.targets.put(name, target)
        return target


def parse_aiohttp(request: web.BaseRequest, targets: TargetResolver) -> ParsedRequest:
    """A request that aiohttp's parser has read."""
    url = request.rel_url
    return ParsedRequest(
        target=targets.resolve(url.raw_path, url.raw_query_string),
        lines=lines_of(request),
        method=request.method,
        peer=request.remote,
        cmcd_query=url.raw_query_string,
        takes_chunks=request.version >= HttpVersion11,
    )


def lines_of(request: web.BaseRequest) -> HeaderLines:
    """The header values of a request; lines with one name are a list (RFC 9110 section 5.3)."""
    values: dict[str, str] = {}
    for name, value in request.headers.items():
        low = name.lower()
        values[low] = f"{values[low]}, {value}" if low in values else value
    return http1.lines_of(values)
