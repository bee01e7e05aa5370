"""Reads media in threads, each object once for all requests that wait for it."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeGuard

from origin.caching.counters import ChannelCounters
from origin.caching.prepared import PreparedResponse
from origin.decision.plan import ServeGrowing, ServeMedia
from origin.runtime.content.answer_cache import AnswerCache
from origin.runtime.content.cached_answer import CachedAnswer, prepare
from origin.runtime.content.media import MediaReader
from origin.runtime.content.outcome import MediaPlan, Stream
from origin.runtime.journal.follower import FollowedChannel
from origin.urls.request import MediaObject, Request
from packager.layout import SegmentName
from packager.timing.ticks import UtcMicros

_LARGEST_SHARE = 8
"""A segment with more than one eighth of the cache's memory is sent from its file."""
_EARLIER_SEGMENTS = 3
"""The newest segment is preloaded if one of the previous three was requested."""


class MediaLoader:
    """Loads bodies of media into the answer cache."""

    def __init__(
        self, reader: MediaReader, answers: AnswerCache, counters: ChannelCounters
    ) -> None:
        self._reader = reader
        self._answers = answers
        self._counters = counters
        self._largest = answers.capacity // _LARGEST_SHARE
        self._loading: dict[Request, tuple[MediaPlan, asyncio.Task[PreparedResponse]]] = {}

    async def response(self, answer: CachedAnswer, plan: MediaPlan) -> PreparedResponse:
        """The response with the planned media; a large body stays in its file.

        Raises:
            StoreError: the file does not match the media's record.
            OSError: it cannot be read.
            MediaError: no fragment can be made of it.
        """
        if self._is_large(plan):
            return prepare(self._reader.unread(answer.request, plan), answer, self._counters)
        return await asyncio.shield(self._load(answer, plan))

    def load_then(self, answer: CachedAnswer, plan: MediaPlan, done: Callable[[], None]) -> bool:
        """Load media into `answer` and call `done`; False if it is too large for the cache."""
        if self._is_large(plan):
            return False
        self._load(answer, plan).add_done_callback(lambda _: done())
        return True

    def stream(self, answer: CachedAnswer, plan: ServeGrowing) -> Stream:
        """The outcome for a segment that is being written."""
        return Stream(plan, prepare(self._reader.growing(plan), answer, self._counters))

    def preload(self, channel: FollowedChannel, now: UtcMicros) -> None:
        """Load the newest segment of each track whose previous segments were requested."""
        for track in channel.timeline.tracks.values():
            newest, *before = (
                MediaObject(channel.name, track.id, SegmentName(track.last_number - back))
                for back in range(_EARLIER_SEGMENTS + 1)
            )
            if not any(self._answers.was_used(one) for one in before):
                continue
            answer = self._answers.of(newest)
            answer.refresh(now)
            plan = answer.plan
            if answer.plain is None and isinstance(plan, ServeMedia) and not self._is_large(plan):
                _ = self._load(answer, plan)  # no request waits for it

    def _is_large(self, plan: MediaPlan) -> TypeGuard[ServeMedia]:
        return isinstance(plan, ServeMedia) and plan.size > self._largest

    def _load(self, answer: CachedAnswer, plan: MediaPlan) -> asyncio.Task[PreparedResponse]:
        """The task that reads an answer's media; it may have been started before."""
        loading = self._loading.get(answer.request)
        if loading is None or loading[0] != plan:
            task = asyncio.create_task(self._read(answer, plan))
            self._loading[answer.request] = loading = plan, task
            task.add_done_callback(partial(self._forget, answer.request))
        return loading[1]

    def _forget(self, request: Request, task: asyncio.Task[PreparedResponse]) -> None:
        if self._loading.get(request, (None, None))[1] is task:
            del self._loading[request]
        if not task.cancelled():
            task.exception()  # so that asyncio does not report it: a request that waits has it

    async def _read(self, answer: CachedAnswer, plan: MediaPlan) -> PreparedResponse:
        response = await asyncio.to_thread(self._reader.read, answer.request, plan)
        prepared = prepare(response, answer, self._counters)
        if answer.plan == plan:
            answer.keep(prepared)
            self._answers.keep(answer)
        return prepared
