"""Manifests, rendered once for each version of a channel's timeline."""

from collections.abc import Hashable, Iterator
from weakref import WeakKeyDictionary

from cachetools import LRUCache

from origin.caching.counters import ChannelCounters
from origin.caching.prepared import PreparedResponse
from origin.decision.plan import Freshness, ServeManifest
from origin.http.cache_headers import CacheHeaders
from origin.http.render import CONTENT_TYPES, render
from origin.http.response import Response
from origin.runtime.content.cached_answer import CachedAnswer, prepare
from origin.runtime.content.files import in_kernel_memory
from origin.runtime.journal.follower import FollowedChannel
from packager.manifest.incremental import ListCaches
from packager.timing.ticks import iso8601

_CAPACITY = 64 << 20
"""Bytes of a channel's manifests: one of twelve hours may have three million."""


def _size(response: PreparedResponse) -> int:
    return response.response.size


class ChannelManifests:
    """The manifests of the current version of one channel's timeline.

    A new version of the timeline drops them. The lists that the next manifests go on from are
    dropped when the past of the timeline changes.
    """

    def __init__(self, channel: FollowedChannel) -> None:
        self._channel = channel
        self._responses: LRUCache[Hashable, PreparedResponse] = LRUCache(_CAPACITY, getsizeof=_size)
        self._version: Hashable = None
        self._lists = ListCaches()
        self._past: Hashable = None

    @property
    def lists(self) -> ListCaches:
        """Text of earlier manifests that still holds."""
        timeline = self._channel.timeline
        past = self._channel.generation, timeline.past_revision
        if past != self._past:
            self._past, self._lists = past, ListCaches()
        return self._lists

    def find(self, key: Hashable) -> PreparedResponse | None:
        """The manifest with this key, if it was made from the current version."""
        timeline = self._channel.timeline
        version = self._channel.generation, timeline.version, timeline.edge
        if version != self._version:
            self._version = version
            self._responses = LRUCache(_CAPACITY, getsizeof=_size)
        return self._responses.get(key)

    def put(self, key: Hashable, response: PreparedResponse) -> None:
        """Keep a manifest that was made from the current version."""
        if _size(response) <= self._responses.maxsize:
            self._responses[key] = response

    @property
    def responses(self) -> list[PreparedResponse]:
        """All manifests that are kept."""
        return list(self._responses.values())


class ManifestCache:
    """Renders manifests, and keeps those of the current timelines."""

    def __init__(self, headers: CacheHeaders, counters: ChannelCounters) -> None:
        self._headers = headers
        self._counters = counters
        self._channels: WeakKeyDictionary[FollowedChannel, ChannelManifests] = WeakKeyDictionary()

    def of(self, channel: FollowedChannel) -> ChannelManifests:
        """The manifests of one channel."""
        if (found := self._channels.get(channel)) is None:
            found = self._channels[channel] = ChannelManifests(channel)
        return found

    def find(
        self, plan: ServeManifest, channel: FollowedChannel, *, gzip: bool
    ) -> PreparedResponse | None:
        """The planned manifest, if it was rendered from the current version of the timeline."""
        return self.of(channel).find(_key(plan, gzip=gzip))

    def render(self, plan: ServeManifest, answer: CachedAnswer, *, gzip: bool) -> PreparedResponse:
        """The planned manifest; it is kept."""
        manifests = self.of(answer.channel)
        response = self._response(plan, answer.channel, manifests.lists, gzip=gzip)
        prepared = prepare(response, answer, self._counters)
        manifests.put(_key(plan, gzip=gzip), prepared)
        return prepared

    def _response(
        self, plan: ServeManifest, channel: FollowedChannel, lists: ListCaches, *, gzip: bool
    ) -> Response:
        text = render(plan, lists)
        freshness, timeline = _freshness(plan), channel.timeline
        coding = (("Content-Encoding", "gzip"),) if gzip else ()
        return Response(
            status=200,
            content_type=CONTENT_TYPES[plan.request.kind],
            cache_control=self._headers.cache_control(freshness, timeline, plan.lasts),
            body=in_kernel_memory(text.gzipped() if gzip else text.plain()),
            etag=f'"{text.digest}{"-gz" if gzip else ""}"',
            modified=plan.window.published,
            extra=(
                *coding,
                ("Vary", "Accept-Encoding"),
                *_window_start(plan),
                *self._headers.for_cdns(freshness, timeline, plan.lasts),
            ),
        )


def _key(plan: ServeManifest, *, gzip: bool) -> Hashable:
    """The parts of a plan that the manifest's text depends on, whatever the path."""
    request, window = plan.request, plan.window
    up = request.folder.count("/")
    extent = (window.first, window.last, window.depth, window.ended, window.stays, plan.late)
    asked = (request.kind, request.track, request.skip, request.patch, request.device, up)
    return asked, extent, window.open_segment, request.reload is not None, gzip


def _freshness(plan: ServeManifest) -> Freshness:
    if plan.request.reload is not None and plan.window.open_segment is not None:
        return Freshness.RELOADED
    return Freshness.ENDED_MANIFEST if plan.window.ended else Freshness.LIVE_MANIFEST


def _window_start(plan: ServeManifest) -> Iterator[tuple[str, str]]:
    """The start of the window, where it is later than the requested start."""
    if plan.late:
        yield "Ringside-Window-Start", iso8601(plan.window.begin)
