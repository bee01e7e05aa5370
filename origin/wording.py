"""The headers that say how long an answer may be kept, and what comes after it."""

from collections.abc import Sequence
from fractions import Fraction

from origin.answer import Answer, plain
from origin.caching import Policy, cache_control, cdn_cache_control
from origin.plan import Freshness
from origin.request import Fragment, Media, Request
from packager.layout import SegmentName
from packager.timeline import Timeline

Headers = tuple[tuple[str, str], ...]
_NO_SEGMENT = Fraction(0)


class Wording:
    """Says it as a policy has it."""

    def __init__(self, policy: Policy) -> None:
        """Speak by `policy`."""
        self._policy = policy

    def caching(
        self,
        freshness: Freshness,
        timeline: Timeline | None = None,
        lasts: Fraction | None = None,
    ) -> str:
        """The Cache-Control of an answer from `timeline`, if any: see `cache_control`."""
        return cache_control(freshness, self._policy.cdn, _segment(timeline), lasts)

    def for_cdns(
        self,
        freshness: Freshness,
        timeline: Timeline | None = None,
        lasts: Fraction | None = None,
    ) -> Headers:
        """What CDNs are told apart from players."""
        if not self._policy.targeted:
            return ()
        said = cdn_cache_control(freshness, self._policy.cdn, _segment(timeline), lasts)
        return (("CDN-Cache-Control", said),)

    def plain(
        self, status: int, text: str, freshness: Freshness, *extra: tuple[str, str]
    ) -> Answer:
        """One line of text."""
        return plain(status, text, self.caching(freshness), *extra, *self.for_cdns(freshness))

    def following(self, request: Request, following: Sequence[tuple[int, int]] = ()) -> Headers:
        """A hint at what is asked for after a segment or fragment (RFC 8288).

        `following` are starts and durations of the fragments after a fragment.
        """
        match request:
            case Media(name=SegmentName(number)) if self._policy.hints:
                return (("Link", f'<{SegmentName(number + 1)}>; rel="next"'),)
            case Fragment(kind=kind) if self._policy.hints and following:
                return (("Link", f'<Fragments({kind}={following[0][0]})>; rel="next"'),)
            case _:
                return ()


def _segment(timeline: Timeline | None) -> Fraction:
    """Seconds of a segment."""
    return _NO_SEGMENT if timeline is None else timeline.grid.duration
