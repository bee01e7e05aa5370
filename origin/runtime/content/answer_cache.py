"""Finds the answer of each request, and bounds the memory of all answers."""

import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from weakref import WeakValueDictionary

from origin.caching.lru import SizedCache
from origin.runtime.content.cached_answer import CachedAnswer
from origin.runtime.journal.follower import FollowedChannel
from origin.urls.request import Request


class AnswerCache:
    """All answers that are referred to, or whose bodies are kept."""

    def __init__(self, channels: Mapping[str, FollowedChannel], capacity: int) -> None:
        """Keep at most `capacity` bytes of bodies."""
        self.capacity = capacity
        self._channels = channels
        self._unknown = FollowedChannel("", Path(os.devnull), Fraction(0), Fraction(0))
        """The channel of all names that are not configured."""
        self._bodies: SizedCache[Request, CachedAnswer] = SizedCache(capacity)
        self._answers: WeakValueDictionary[Request, CachedAnswer] = WeakValueDictionary()

    def of(self, request: Request) -> CachedAnswer:
        """The answer of `request`; a new one is empty."""
        if (answer := self._answers.get(request)) is None:
            channel = self._channels.get(getattr(request, "channel", ""), self._unknown)
            answer = self._answers[request] = CachedAnswer(request, channel)
        return answer

    def was_used(self, request: Request) -> bool:
        """Whether a viewer requested the object recently, as far as the cache knows."""
        answer = self._answers.get(request)
        return answer is not None and answer.used

    def keep(self, answer: CachedAnswer) -> None:
        """Keep the answer's bodies; evict others if there is no room."""
        self._bodies.put(answer.request, answer, answer.size)

    @property
    def size(self) -> int:
        """Bytes of all bodies that are kept."""
        return self._bodies.size
