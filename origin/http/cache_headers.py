"""The headers for caches: Cache-Control, CDN-Cache-Control, and the link to the next object."""

from collections.abc import Sequence
from fractions import Fraction

from origin.decision.plan import Freshness
from origin.http.cache_policy import CachePolicy, cache_control, cdn_cache_control
from origin.http.response import Response, plain
from origin.urls.request import MediaObject, Request, SmoothFragment
from packager.layout import SegmentName
from packager.timeline.model import Timeline

Headers = tuple[tuple[str, str], ...]
_NO_SEGMENT = Fraction(0)


class CacheHeaders:
    """The cache headers of one policy."""

    def __init__(self, policy: CachePolicy) -> None:
        self._policy = policy

    def cache_control(
        self,
        freshness: Freshness,
        timeline: Timeline | None = None,
        lasts: Fraction | None = None,
    ) -> str:
        """Cache-Control of a response made from `timeline`, if any: see `cache_control`."""
        return cache_control(freshness, self._policy.cdn, _segment(timeline), lasts)

    def for_cdns(
        self,
        freshness: Freshness,
        timeline: Timeline | None = None,
        lasts: Fraction | None = None,
    ) -> Headers:
        """CDN-Cache-Control (RFC 9213), where the policy has it."""
        if not self._policy.targeted:
            return ()
        value = cdn_cache_control(freshness, self._policy.cdn, _segment(timeline), lasts)
        return (("CDN-Cache-Control", value),)

    def plain(
        self, status: int, text: str, freshness: Freshness, *extra: tuple[str, str]
    ) -> Response:
        """A response with one line of text."""
        return plain(status, text, self.cache_control(freshness), *extra, *self.for_cdns(freshness))

    def next_link(self, request: Request, following: Sequence[tuple[int, int]] = ()) -> Headers:
        """A link to the object after a segment or a fragment (RFC 8288), where the policy has it.

        `following` are starts and durations of the fragments after a fragment.
        """
        match request:
            case MediaObject(name=SegmentName(number)) if self._policy.hints:
                return (("Link", f'<{SegmentName(number + 1)}>; rel="next"'),)
            case SmoothFragment(kind=kind) if self._policy.hints and following:
                return (("Link", f'<Fragments({kind}={following[0][0]})>; rel="next"'),)
            case _:
                return ()


def _segment(timeline: Timeline | None) -> Fraction:
    """Seconds of a segment."""
    return _NO_SEGMENT if timeline is None else timeline.grid.duration
