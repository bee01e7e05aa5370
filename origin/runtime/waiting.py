"""Requests for what is about to be there: held without a task or a timer each.

All who ask for the same wait in one row, which is looked at when their channel's timeline has
grown, and ten times a second for those whose time is up.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from origin.plan import ServeGrowing, Wait
from origin.reply import Reply
from origin.runtime.answers import Answers, Ready, Target
from origin.runtime.connection import Connection
from origin.runtime.follow import FollowedChannel
from origin.runtime.growing import Growing
from origin.wire import Lines
from packager.clock import monotonic
from packager.ticks import UtcMicros


class Asked(NamedTuple):
    """One request that is held."""

    connection: Connection
    target: Target
    lines: Lines
    head: bytes
    name: bytes
    """The target as it came."""
    bare: bool
    """It is a HEAD."""
    since: float
    """On the monotonic clock."""
    is_bland: bool = False
    """It is a GET like any other, of which nothing more is to be noted."""


Give = Callable[[Asked, Reply], None]
"""Sends an answer."""
Ask = Callable[[Asked], None]
"""Has a request answered by who takes the time for it."""
Begin = Callable[[Asked, Reply], bytes]
"""The head of an answer that is sent in pieces; it is counted and logged."""


def _present(row: Iterable[Asked]) -> Iterator[Asked]:
    """Those who have not left."""
    return (asked for asked in row if not asked.connection.closing)


def _nobody(asked: Asked) -> None:
    raise AssertionError(asked)


class Waiting:
    """All that are held."""

    def __init__(self, answers: Answers, give: Give, begin: Begin) -> None:
        """Answer with what `answers` makes."""
        self.ask: Ask = _nobody
        self._answers = answers
        self._give = give
        self._begin = begin
        self._rows: dict[Ready, deque[Asked]] = {}
        self._growing: dict[Ready, Growing] = {}

    def __len__(self) -> int:
        """How many are held."""
        followed = sum(len(growing.followers) for growing in self._growing.values())
        return sum(map(len, self._rows.values())) + followed

    def hold(self, asked: Asked) -> None:
        """Answer `asked`, whose plan is a `Wait` or a `ServeGrowing`, when that can be."""
        ready = asked.target.ready
        asked.connection.busy = True
        if isinstance(ready.plan, ServeGrowing):
            self._follow(asked, ready.plan)
        else:
            self._rows.setdefault(ready, deque()).append(asked)

    def grown(self, channel: FollowedChannel, now: UtcMicros) -> None:
        """The timeline of `channel` is another."""
        for ready in [ready for ready in self._rows if ready.channel is channel]:
            self._look(ready, now)
        for ready, growing in list(self._growing.items()):
            if growing.channel is channel:
                growing.grow()
                if growing.over:
                    del self._growing[ready]

    def expire(self, now: UtcMicros) -> None:
        """Answer those whose time is up; hang up where a segment has stopped to grow."""
        tick = monotonic()
        for ready in list(self._rows):
            self._look(ready, now)
            row, plan = self._rows.get(ready), ready.plan
            if row is None or not isinstance(plan, Wait):
                continue
            while row and tick - row[0].since >= plan.at_most:
                refusal = self._answers.refusal(plan.otherwise, ready)
                for asked in _present([row.popleft()]):
                    self._send(asked, refusal)
            if not row:
                del self._rows[ready]
        for ready, growing in list(self._growing.items()):
            if tick - growing.grew >= growing.plan.whole.at_most:
                growing.give_up()
                del self._growing[ready]

    def _look(self, ready: Ready, now: UtcMicros) -> None:
        """Answer a row if that can be now."""
        zipped = self._rows[ready][0].lines.zipped
        try:
            reply = self._answers.at_hand(ready, now, zipped=zipped)
        except Exception:  # noqa: BLE001 - who has the time for it says what it was
            for asked in _present(self._rows.pop(ready)):
                self.ask(asked)
            return
        plan = ready.plan
        if reply is None and isinstance(plan, Wait):
            return
        row = self._rows.pop(ready)
        if isinstance(plan, ServeGrowing):
            for asked in _present(row):
                self._follow(asked, plan)
        elif reply is not None or not self._answers.bring(ready, lambda: self._let_go(row)):
            self._let_go(row)

    def _let_go(self, row: deque[Asked]) -> None:
        """Answer a row with what is at hand; where nothing is, it is asked for."""
        now, ready = self._answers.now(), row[0].target.ready
        replies = {
            zipped: self._answers.at_hand(ready, now, zipped=zipped)
            for zipped in {asked.lines.zipped for asked in row}
        }
        for asked in _present(row):
            reply = replies[asked.lines.zipped]
            if reply is None:
                self.ask(asked)
            else:
                self._send(asked, reply)

    def _send(self, asked: Asked, reply: Reply) -> None:
        self._give(asked, reply)
        asked.connection.freed()

    def _follow(self, asked: Asked, plan: ServeGrowing) -> None:
        """Send a segment from its beginning on, and on as it grows."""
        ready, connection = asked.target.ready, asked.connection
        reply = self._answers.begun(ready, plan)
        if asked.bare:
            connection.write(self._begin(asked, reply))
            connection.freed()
            return
        growing = self._growing.get(ready)
        if growing is None:
            path = self._answers.path_of(plan)
            growing = Growing(ready.channel, plan, path, reply.tally)
            growing.grow()
        growing.join(connection, self._begin(asked, reply))
        if growing.over:
            connection.abort()
        else:
            self._growing[ready] = growing
