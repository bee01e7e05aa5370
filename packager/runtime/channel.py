"""One channel: its source and ffmpeg, kept going until cancelled."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

import msgspec
import structlog

from packager.clock import Clock, monotonic, monotonic_micros
from packager.cmaf.boxes import Buffer
from packager.errors import DiskError, FeedError, JournalError, RingsideError
from packager.events import EventOrder, ordered, said, schedule_of
from packager.feed.advice import facts_of
from packager.ffmpeg.command import COPYABLE, PipeFeed, arguments, track_specs
from packager.ffmpeg.probe import SILENCE, SourceInfo
from packager.ffmpeg.progress import Message, Progress, ProgressReader, Trouble, read_message
from packager.ffmpeg.selection import with_silence
from packager.layout import STATUS
from packager.losses import told
from packager.profile import EncodeLadder, Ladder
from packager.records import Ended, EventRemoved, EventSet
from packager.retention import STAY, first_within, over
from packager.runtime import metrics
from packager.runtime.config_file import LoadedChannel
from packager.runtime.feed import Feed
from packager.runtime.feeds import GLANCE, Direct, Feeds
from packager.runtime.flusher import Flusher
from packager.runtime.inlet import Inlet
from packager.runtime.intake import Intake
from packager.runtime.journal_writer import JournalWriter
from packager.runtime.process import Child, TrackPipe, lines
from packager.runtime.publisher import Publisher
from packager.runtime.sources import Opened
from packager.runtime.sources.line import Line
from packager.runtime.sources.pattern import open_pattern
from packager.runtime.sources.recording import open_recording
from packager.runtime.sources.slate import open_slate, slate_ladder
from packager.source import (
    CmafSource,
    Fed,
    FileSource,
    LossConfig,
    PatternSource,
    Source,
    described,
)
from packager.status import ChannelState, ChannelStatus, encode
from packager.ticks import MICROS, UtcMicros

if TYPE_CHECKING:
    from packager.runtime.sources.cmaf import CmafDoors, CmafIntake

_SHORTEST_WAIT = 0.25
_LONGEST_WAIT = 15.0
"""Seconds between two starts of ffmpeg; the wait doubles with each failure in a row."""
_HEALTHY = 20.0
"""Seconds of output after which a failure is the first again."""
_SLOW_START = 15.0
"""Seconds that ffmpeg may take to its first bytes."""
_STALL_SEGMENTS = 3
"""Segment durations without a byte after which ffmpeg is taken for dead: the live edge it leaves
must not have gone stale before another one is running."""
_TRAILING_SEGMENTS = 4
"""Segment durations that media may trail the clock by: further back the live edge would go stale,
and ffmpeg wins back little of what it has lost."""
_DEGRADED = 60.0
"""Seconds that a channel is degraded after segments had to go early."""
_ON_AIR = (ChannelState.LIVE, ChannelState.DEGRADED, ChannelState.FILLER)
_LAST_WORDS = 0.5
"""Seconds that an ffmpeg gets to send what it has when something else is to be on air."""
_HOUSEKEEPING = 2.0
"""Seconds between two looks at status, stall and retention."""


class Ways(Protocol):
    """How encoders come."""

    @property
    def cmaf(self) -> "CmafDoors":
        """The doors of those that push CMAF."""
        ...

    def line(self, source: Fed) -> Line:
        """The line of a source."""
        ...


@dataclass(slots=True)
class _Run:
    """What is known of the ffmpeg that runs now."""

    intake: Intake
    newest: float
    """Monotonic time of the newest bytes."""
    complaint: str = ""
    """The first error ffmpeg named: later ones follow from it."""
    has_left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once all is there of the last segment that is wanted."""
    left: bool = False
    """It was told to end, for something else to be on air."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is on air."""

    opened: Opened
    ladder: Ladder
    name: str
    place: int | None = None
    """Of its source, in the order of preference; None for the filler."""
    feed: Feed | None = None
    came: int = 0
    """When the first of the feed came that ffmpeg gets, in monotonic microseconds."""
    begins: UtcMicros | None = None
    """When the first came that is to be seen."""
    connection: int = 0
    """Of the feed, which one it was when it was begun with."""
    known: SourceInfo | None = None
    """The streams of the feed when it was begun with."""

    @property
    def is_filler(self) -> bool:
        """Whether it is nobody's feed."""
        return self.place is None


class Channel:
    """Keeps one channel going."""

    def __init__(
        self,
        config: LoadedChannel,
        data: Path,
        program: str,
        clock: Clock,
        ingest: Ways | None,
    ) -> None:
        """Publish `config` below `data`, with the ffmpeg `program`.

        Encoders come by `ingest`; None where no source needs one.
        """
        metrics.begin(config.name)
        self._config = config
        self._folder = data / config.name
        self._program = program
        self._clock = clock
        self._log = structlog.get_logger().bind(channel=config.name)
        self._status = ChannelStatus(
            state=ChannelState.STARTING,
            since=clock.now(),
            source=described(config.sources[0]),
            ladder=config.ladder_name,
        )
        self._publisher: Publisher | None = None
        self._ingest = ingest
        self._feeds = self._feeds_of(_nobody if ingest is None else ingest.line)
        self._has_picture = True
        """The filler is as configured, as far as is known."""
        self._evicted = 0
        """Segments that are known to have gone for want of room."""
        self._short_of_room = float("-inf")
        """Monotonic time at which some last had to."""
        self._seen_troubles: dict[Trouble, float] = {}

    def _feeds_of(self, line: Callable[[Fed], Line]) -> Feeds | None:
        """The sources to choose among; None where ffmpeg reads the only one by itself."""
        config = self._config
        sources: list[Feed | Direct] = []
        for source in config.sources:
            match source:
                case PatternSource() | FileSource():
                    sources.append(source)
                case CmafSource():
                    return None
                case _:
                    facts = facts_of(config.ladder, config.segment, frozenset(COPYABLE))
                    feed = Feed(source, line(source), config.loss, facts, self._program)
                    sources.append(feed)
        if len(sources) == 1 and not isinstance(sources[0], Feed):
            return None
        return Feeds(sources, config.loss)

    async def run(self) -> None:
        """Go on until cancelled, or until a source that ends has ended.

        Raises:
            DiskError: the channel's journal or store cannot be used.
        """
        try:
            journal = JournalWriter(self._folder, self._config.name, self._config.segment)
        except JournalError as error:
            self._set(ChannelState.STOPPED, problem=str(error))
            raise
        flusher = Flusher(self._config.name)
        try:
            if journal.set_aside is not None:
                lost = f"damaged: {journal.cut_off} bytes do not count, {journal.set_aside} has all"
                self._problem("journal.damaged", lost)
            elif journal.cut_off:
                self._log.warning("journal.repaired", dropped_bytes=journal.cut_off)
            publisher = Publisher(
                self._config.name, self._folder, journal, makes_room=True, flush=flusher.flush
            )
            self._mend(publisher)
            # Media that only a damaged journal names stays as long as that does.
            if not journal.damaged.exists() and (strays := publisher.sweep()):
                self._log.info("store.swept", files=strays)
            self._publisher = publisher
            self._announce(publisher)
            await self._with_lines(publisher)
        finally:
            self._publisher = None
            if self._status.state is not ChannelState.ENDED:
                self._set(ChannelState.STOPPED)
            journal.close()
            await asyncio.to_thread(flusher.close)

    def _mend(self, publisher: Publisher) -> None:
        """Name what a power loss took; write down what can never be whole again.

        Raises:
            DiskError: it cannot be told, or not be written down.
        """
        if missing := publisher.missing_inits():
            # The same source brings the same ones again.
            self._problem("store.lost", f"init sections are not whole: {', '.join(missing)}")
        if lost := publisher.mend():
            self._problem("store.lost", told(lost))

    async def _with_lines(self, publisher: Publisher) -> None:
        """Keep going, and take what encoders send meanwhile."""
        work = [asyncio.create_task(self._keep_going(publisher))]
        if self._feeds is not None:
            work.append(asyncio.create_task(self._feeds.run()))
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
        for task in done:
            task.result()

    async def _keep_going(self, publisher: Publisher) -> None:
        wait = _SHORTEST_WAIT
        while True:
            started = monotonic()
            publisher.journal.check_in_place()
            try:
                self._trim(publisher)
                publisher.end_open_segments(self._clock.now())
                await self._play(publisher)
                self._set(ChannelState.ENDED)
                await self._keep_retention(publisher)
            except* RingsideError as group:
                problem = str(_first(group))
            if monotonic() - started > _HEALTHY:
                wait = _SHORTEST_WAIT
            self._log.error("channel.failed", problem=problem, retry_seconds=wait)
            restarts = self._status.restarts + 1
            self._set(ChannelState.BACKING_OFF, problem=problem, restarts=restarts)
            metrics.RESTARTS.labels(self._config.name).inc()
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    async def _play(self, publisher: Publisher) -> None:
        """Run the source to its end, unless it has been there.

        Raises:
            RingsideError: it failed, or it has no end and ended.
        """
        if self._feeds is not None:
            await self._play_best(self._feeds, publisher)
        first = self._config.sources[0]
        if isinstance(first, CmafSource):
            await self._take_pushed(first, publisher)
        identity = _identity(first)
        if identity and publisher.timeline.ended_source == identity:
            return
        self._set(ChannelState.STARTING)
        opened = await self._open(first)
        await self._run_once(_Shown(opened, self._config.ladder, self._status.source, 0), publisher)
        if opened.endless:
            raise FeedError("ffmpeg ended although the source does not")
        publisher.end_open_segments(self._clock.now())
        publisher.note([Ended(self._clock.now(), identity)])
        self._log.info("source.ended")

    async def _open(self, source: Source) -> Opened:
        """A source that ffmpeg reads by itself.

        Raises:
            FeedError: it cannot be had.
        """
        ladder = self._config.ladder
        match source:
            case PatternSource():
                if not isinstance(ladder, EncodeLadder):
                    raise FeedError("there is nothing to pass through in a test pattern")
                return open_pattern(source, ladder.frame_rate)
            case FileSource():
                encoded = isinstance(ladder, EncodeLadder)
                return await open_recording(source, self._folder, self._program, encoded=encoded)
            case _:
                raise FeedError("encoders push it")

    # A ladder that is pushed ready

    async def _take_pushed(self, source: CmafSource, publisher: Publisher) -> NoReturn:
        """Publish what encoders push.

        Raises:
            DiskError: something could not be published.
        """
        from packager.runtime.sources.cmaf import CmafIntake  # noqa: PLC0415 - few need it

        if self._ingest is None:
            raise AssertionError
        doors = self._ingest.cmaf
        intake = CmafIntake(self._config.name, publisher, self._clock)
        door = doors.add(source.key)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(intake.run(door))
                tasks.create_task(self._keep_pushed(intake, publisher))
        finally:
            doors.remove(source.key)
        raise AssertionError

    async def _keep_pushed(self, intake: "CmafIntake", publisher: Publisher) -> NoReturn:
        """Look after what is kept, and say how the channel is."""
        patience = float(_STALL_SEGMENTS * self._config.segment)
        while True:
            publisher.count()
            self._keep_store(publisher)
            for broken in intake.breaks():
                self._problem("timeline.broken", broken.reason)
            is_fed = publisher.timeline.edge >= 0 and monotonic() - intake.newest < patience
            self._set(ChannelState.LIVE if is_fed else ChannelState.WAITING)
            await asyncio.sleep(_HOUSEKEEPING)

    # The best of several

    async def _play_best(self, feeds: Feeds, publisher: Publisher) -> NoReturn:
        """Send the best of `feeds`, one after the other.

        Raises:
            RingsideError: one failed, or what it sent cannot be published.
        """
        seen: UtcMicros | None = None
        while True:
            place = await self._wait_for(feeds, publisher)
            shown = await self._show(feeds, place, publisher, seen)
            if shown is None:
                await asyncio.sleep(GLANCE)
                continue
            self._status = msgspec.structs.replace(self._status, source=shown.name)
            self._log.info("source.chosen", source=shown.name)
            if self._status.state not in _ON_AIR:
                self._set(ChannelState.STARTING)
            seen = await self._run_once(shown, publisher)

    async def _wait_for(self, feeds: Feeds, publisher: Publisher) -> int | None:
        """The place of the best source, once there is one; None for the filler."""
        best = feeds.best(None)
        while best is None and not feeds.has_filler:
            self._tell_of_feeds(None)
            self._set(ChannelState.WAITING, problem=feeds.complaint)
            self._keep_store(publisher)
            try:
                async with asyncio.timeout(_HOUSEKEEPING):
                    best = await feeds.first()
            except TimeoutError:
                continue
        return best

    async def _show(
        self, feeds: Feeds, place: int | None, publisher: Publisher, seen: UtcMicros | None
    ) -> _Shown | None:
        """What to send of the source at `place`; None where it has gone meanwhile.

        `seen` is when the last came in of what was on air before.
        """
        config = self._config
        if place is None:
            timeline = publisher.timeline
            ladder = slate_ladder(config.ladder, config.segment, timeline)
            loss = config.loss if self._has_picture else LossConfig(filler="slate")
            opened = await open_slate(loss, ladder, timeline, self._folder, self._program)
            return _Shown(opened, ladder, "filler")
        source = feeds.sources[place]
        if not isinstance(source, Feed):
            try:
                opened = await self._open(source)
            except FeedError as error:
                self._problem("source.lost", f"{described(source)}: {error}")
                feeds.shun(place)
                return None
            return _Shown(opened, config.ladder, described(source), place)
        now, utc = monotonic_micros(), self._clock.now()
        # No sooner than the timeline has room for it, nor what was seen already.
        free = publisher.timeline.grid.micros(publisher.timeline.reached + 1)
        wanted = now + max(seen or 0, free) - utc
        if wanted > now + 2 * config.segment * MICROS:
            wanted = now  # the clock was set back
        beginning = source.beginning(wanted)
        if beginning is None:
            return None
        skip = 0
        if isinstance(config.ladder, EncodeLadder):
            skip = max(0, wanted - beginning.came)
        feed = PipeFeed(beginning.container, Fraction(skip, MICROS))
        least = 1 if isinstance(config.ladder, EncodeLadder) else 0
        info = with_silence(beginning.info, publisher.timeline.sounds, least)
        return _Shown(
            Opened(feed, info, endless=False),
            config.ladder,
            source.name,
            place,
            source,
            beginning.came,
            UtcMicros(utc - now + beginning.came + skip),
            source.connections,
            beginning.info,
        )

    async def _run_once(self, shown: _Shown, publisher: Publisher) -> UtcMicros | None:
        """Run ffmpeg to its end. Returns: when the last of what is to be seen came in.

        Raises:
            RingsideError: it failed, or what it sent cannot be published.
        """
        config, source, feed = self._config, shown.opened, shown.feed
        specs = track_specs(shown.ladder, source.info)
        intake = Intake(
            config.name,
            specs,
            publisher,
            self._clock,
            encoded=isinstance(shown.ladder, EncodeLadder),
            came=shown.begins,
            filler=shown.is_filler,
        )
        run = _Run(intake, monotonic())
        pipes = [TrackPipe(self._taker(run, index)) for index in range(len(specs))]
        command = arguments(
            source.feed,
            shown.ladder,
            config.segment,
            source.info,
            [pipe.write_end for pipe in pipes],
            real_time=True,
        )
        if all(audio.index == SILENCE for audio in source.info.audio):
            self._problem("source.silent", "the feed has no audio")
        inlet = None if feed is None else Inlet()
        try:
            async with (
                Child([self._program, *command], pipes, inlet=inlet) as child,
                asyncio.TaskGroup() as tasks,
            ):
                self._log.info("ffmpeg.started", pid=child.process.pid)
                if feed is not None and inlet is not None:
                    feed.attach(inlet, shown.came)
                beside = [tasks.create_task(self._housekeeping(run, publisher, shown, inlet))]
                if self._feeds is not None:
                    beside.append(
                        tasks.create_task(self._watch(self._feeds, shown, run, child, publisher))
                    )
                tasks.create_task(self._read_log(run, lines(child.process.stderr)))
                tasks.create_task(self._read_progress(lines(child.process.stdout)))
                await asyncio.gather(*(pipe.done for pipe in pipes))
                code = await child.process.wait()
                for task in beside:
                    task.cancel()
        finally:
            if feed is not None:
                feed.detach()
                if not intake.segmenter.anchored and feed.is_connected and not run.left:
                    feed.shun(run.complaint or "nothing came out of it", shown.connection)
            elif not intake.segmenter.anchored and not run.left:
                self._avoid(shown)
            try:
                intake.finish()
            except DiskError as error:
                self._problem("publish.failed", str(error))
            publisher.count()
        if run.left or (feed is not None and not feed.is_connected):
            return intake.segmenter.seen
        if code:
            reason = run.complaint or f"exit code {code}"
            raise FeedError(f"ffmpeg: {reason}")
        if not intake.segmenter.anchored:
            raise FeedError(run.complaint or "the feed ended without a picture")
        return intake.segmenter.seen

    def _avoid(self, shown: _Shown) -> None:
        """Nothing came out of what nobody sends: take something else for now."""
        if shown.is_filler and self._has_picture:
            self._has_picture = False
            self._problem("slate.unusable", "the slate cannot be shown: it is grey instead")
        elif shown.place is not None and self._feeds is not None:
            self._feeds.shun(shown.place)

    async def _watch(
        self, feeds: Feeds, shown: _Shown, run: _Run, child: Child, publisher: Publisher
    ) -> None:
        """End the run when something else is to be on air, where a segment ends if that is left."""
        feed = shown.feed
        while True:
            await asyncio.sleep(GLANCE)
            best = feeds.best(shown.place)
            if feed is not None and not feed.is_connected:
                break
            changed = feed is not None and feed.info not in (None, shown.known)
            is_better = best is not None or feeds.has_filler
            if (best != shown.place and is_better) or changed:
                break
        if feed is None or feed.healthy_since is not None:
            await self._part(run, publisher)
        elif best is not None or not shown.is_filler:
            self._problem("source.lost", f"{shown.name}: {feed.complaint}")
        run.left = True
        if run.intake.segmenter.leave_after is not None:
            child.kill()
        else:
            await self._leave(shown, child)

    async def _part(self, run: _Run, publisher: Publisher) -> None:
        """Return where all tracks have ended the segment that any of them is in."""
        segmenter = run.intake.segmenter
        segmenter.leave_after = publisher.timeline.reached
        if segmenter.has_left:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(float(2 * self._config.segment)):
                await run.has_left.wait()

    async def _leave(self, shown: _Shown, child: Child) -> None:
        """Have an ffmpeg send what it still has, and end."""
        if shown.feed is not None:
            shown.feed.detach()
        try:
            async with asyncio.timeout(_LAST_WORDS):
                await child.process.wait()
        except TimeoutError:
            child.kill()

    def _taker(self, run: _Run, track: int) -> Callable[[Buffer], None]:
        def take(data: Buffer) -> None:
            run.newest = monotonic()
            for broken in run.intake.feed(track, data):
                self._problem("timeline.broken", broken.reason)
            if run.intake.segmenter.has_left:
                run.has_left.set()

        return take

    def _problem(self, event: str, problem: str, **said: str) -> None:
        """Name what is wrong but stops nothing, in the log and in the status."""
        self._log.warning(event, problem=problem, **said)
        self._status = msgspec.structs.replace(self._status, problem=problem)

    # Events

    def _announce(self, publisher: Publisher) -> None:
        """Write down what the schedule says that it did not say before: orders outlast it.

        Raises:
            DiskError: it could not be.
        """
        forgotten = self._clock.now() - round(self._config.retention * MICROS)
        for event in self._config.events:
            over = event.end is not None and event.end < forgotten and not event.pinned
            schedule = schedule_of(event)
            if not over and publisher.timeline.scheduled.get(event.name) != schedule:
                publisher.note([msgspec.structs.replace(event, schedule=schedule)])
                self._log.info("event.scheduled", **msgspec.to_builtins(said(event)))

    def set_event(self, name: str, order: EventOrder) -> EventSet:
        """Begin, change or end an event.

        Raises:
            ValueError: it cannot be done.
            DiskError: it could not be written down.
        """
        publisher = self._at_work()
        event = ordered(name, order, publisher.timeline.events, self._clock.now())
        publisher.note([event])
        self._log.info("event.set", **msgspec.to_builtins(said(event)))
        return event

    def remove_event(self, name: str) -> bool:
        """Forget an event; whether there was one. What it pinned goes with the next trim.

        Raises:
            DiskError: it could not be written down.
        """
        publisher = self._at_work()
        if name not in publisher.timeline.events:
            return False
        publisher.note([EventRemoved(name)])
        self._log.info("event.removed", name=name)
        return True

    def _at_work(self) -> Publisher:
        if self._publisher is None:
            raise DiskError("the channel's journal cannot be used now")
        return self._publisher

    # What ffmpeg says

    async def _read_log(self, run: _Run, lines: AsyncIterator[str]) -> None:
        async for line in lines:
            message = read_message(line)
            if message is not None and message.trouble is not None:
                self._trouble(run, message, message.trouble)

    def _trouble(self, run: _Run, message: Message, trouble: Trouble) -> None:
        """Count it; log it unless the same was said a moment ago."""
        metrics.TROUBLES.labels(self._config.name, trouble).inc()
        if not run.complaint and message.level in ("error", "fatal"):
            run.complaint = message.text
        now = monotonic()
        if now - self._seen_troubles.get(trouble, -_LONGEST_WAIT) < _LONGEST_WAIT:
            return
        self._seen_troubles[trouble] = now
        self._problem("ffmpeg.trouble", f"{trouble}: {message.text}", level_said=message.level)

    async def _read_progress(self, lines: AsyncIterator[str]) -> None:
        reader = ProgressReader()
        async for line in lines:
            if (progress := reader.line(line)) is not None:
                self._progress(progress)

    def _progress(self, progress: Progress) -> None:
        if progress.speed is not None:
            metrics.SPEED.labels(self._config.name).set(progress.speed)
        self._status = msgspec.structs.replace(
            self._status,
            speed=progress.speed,
            frames=progress.frames,
            dropped=progress.dropped,
            duplicated=progress.duplicated,
        )

    # Housekeeping

    async def _housekeeping(
        self, run: _Run, publisher: Publisher, shown: _Shown, inlet: Inlet | None
    ) -> None:
        """Watch the run.

        Raises:
            FeedError: nothing has come for too long, or it trails the clock by too much.
            JournalError: somebody has taken the journal away.
        """
        dropped = metrics.DROPPED_RUNS.labels(self._config.name)
        counted = 0
        stall = float(_STALL_SEGMENTS * self._config.segment)
        while True:
            await asyncio.sleep(_HOUSEKEEPING)
            segmenter = run.intake.segmenter
            longest = stall if segmenter.anchored else _SLOW_START
            if (silent := monotonic() - run.newest) > longest:
                raise FeedError(f"no media for {silent:.0f} s")
            if inlet is not None and inlet.overrun:
                raise FeedError("ffmpeg takes the feed slower than it comes")
            dropped.inc(segmenter.dropped - counted)
            counted = segmenter.dropped
            publisher.count()
            self._keep_store(publisher)
            self._tell_of_feeds(shown.place)
            self._measure(segmenter.lag, segmenter.anchor_lag, segmenter.clock_rate)
            if (lag := segmenter.lag or 0) > _TRAILING_SEGMENTS * self._config.segment * MICROS:
                raise FeedError(f"too slow: media trails the clock by {lag / MICROS:.1f} s")
            for broken in run.intake.keep_behind_the_clock():
                self._problem("timeline.broken", broken.reason)
            if segmenter.anchored:
                self._set(self._on_air(shown))

    def _tell_of_feeds(self, active: int | None) -> None:
        if self._feeds is not None:
            said = self._feeds.statuses(self._config.name, active)
            self._status = msgspec.structs.replace(self._status, feeds=said)

    def _on_air(self, shown: _Shown) -> ChannelState:
        if shown.is_filler:
            return ChannelState.FILLER
        short_of_room = monotonic() - self._short_of_room < _DEGRADED
        return ChannelState.DEGRADED if short_of_room else ChannelState.LIVE

    def _measure(self, lag: int | None, anchor_lag: int | None, rate: int) -> None:
        if lag is None or anchor_lag is None:
            return
        metrics.LAG_SECONDS.labels(self._config.name).set(lag / MICROS)
        metrics.DRIFT_SECONDS.labels(self._config.name).set((lag - anchor_lag) / MICROS)
        metrics.CLOCK_RATE.labels(self._config.name).set(rate)
        self._status = msgspec.structs.replace(
            self._status,
            lag_ms=lag // 1000,
            drift_ms=(lag - anchor_lag) // 1000,
            clock_ppm=rate,
        )

    async def _keep_retention(self, publisher: Publisher) -> NoReturn:
        while True:
            self._keep_store(publisher)
            await asyncio.sleep(_HOUSEKEEPING)

    def _keep_store(self, publisher: Publisher) -> None:
        """Look after what is kept.

        Raises:
            JournalError: somebody has taken it away.
        """
        publisher.journal.check_in_place()
        self._trim(publisher)
        if publisher.evicted > self._evicted:
            gone = publisher.evicted - self._evicted
            self._evicted = publisher.evicted
            self._short_of_room = monotonic()
            metrics.EVICTED_SEGMENTS.labels(self._config.name).inc(gone)
            self._problem("disk.full", f"the disk is full: {gone} segments went early")

    def _trim(self, publisher: Publisher) -> None:
        timeline = publisher.timeline
        before = timeline.edge - self._config.retention // self._config.segment
        if self._config.retention_size:
            before = max(before, first_within(timeline, self._config.retention_size))
        try:
            gone = publisher.trim(min(before, timeline.edge - STAY))
            if past := over(timeline):
                publisher.note([EventRemoved(name) for name in past])
        except DiskError as error:
            # What has to go stays longer; the media goes on.
            self._problem("retention.failed", str(error))
        else:
            metrics.RETENTION_SEGMENTS.labels(self._config.name).inc(gone)

    def _set(self, state: ChannelState, **changes: object) -> None:
        """Say how the channel is, in the file that the status page reads."""
        if state is not self._status.state:
            changes["since"] = self._clock.now()
            self._log.info("channel.state", state=state)
        self._status = msgspec.structs.replace(self._status, state=state, **changes)
        try:
            self._write_status()
        except OSError as error:
            # Only people miss it; the media goes on.
            self._log.warning("status.unwritten", problem=str(error))

    def _write_status(self) -> None:
        path = self._folder / STATUS
        partial = path.with_suffix(".partial")
        try:
            partial.write_bytes(encode(self._status))
        except OSError:
            if self._publisher is None:
                raise
            # What is wrong with a full disk must be told all the same.
            self._publisher.journal.give_up_reserve()
            partial.write_bytes(encode(self._status))
        partial.replace(path)


def _nobody(source: Fed) -> Line:
    raise AssertionError(source)


def _identity(source: Source) -> str:
    """Tells a source that is played once from any other; empty for one without an end.

    Raises:
        FeedError: a file is gone.
    """
    if not isinstance(source, FileSource) or source.loop:
        return ""
    digest = sha256()
    for file in source.files:
        try:
            found = Path(file).stat()
        except OSError as error:
            raise FeedError(f"{file}: {error.strerror}") from error
        digest.update(f"{file}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def _first(group: BaseExceptionGroup[RingsideError]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
