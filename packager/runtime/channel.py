"""One channel: its source and ffmpeg, kept going until cancelled."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

import msgspec

from packager.clock import Clock, monotonic
from packager.errors import DiskError, FeedError, JournalError, RingsideError
from packager.events import EventOrder, ordered, said, schedule_of
from packager.feed.advice import facts_of
from packager.ffmpeg.command import COPYABLE, arguments, track_specs
from packager.ffmpeg.probe import SILENCE
from packager.latency import parts_of
from packager.losses import told
from packager.profile import EncodeLadder
from packager.records import Ended, EventRemoved, EventSet
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
from packager.runtime.run import STALL_SEGMENTS, Run, Troubles
from packager.runtime.showing import Showing, Shown
from packager.runtime.sources.line import Line
from packager.runtime.teller import Teller
from packager.runtime.upkeep import HOUSEKEEPING, Upkeep
from packager.source import (
    CmafSource,
    Fed,
    FileSource,
    PatternSource,
    Source,
    described,
)
from packager.status import ChannelState, ChannelStatus
from packager.ticks import MICROS, UtcMicros

if TYPE_CHECKING:
    from packager.runtime.sources.cmaf import CmafDoors, CmafIntake

_SHORTEST_WAIT = 0.25
_LONGEST_WAIT = 15.0
"""Seconds between two starts of ffmpeg; the wait doubles with each failure in a row."""
_HEALTHY = 20.0
"""Seconds of output after which a failure is the first again."""
_ON_AIR = (ChannelState.LIVE, ChannelState.DEGRADED, ChannelState.FILLER)
_LAST_WORDS = 0.5
"""Seconds that an ffmpeg gets to send what it has when something else is to be on air."""


class Ways(Protocol):
    """How encoders come."""

    @property
    def cmaf(self) -> "CmafDoors":
        """The doors of those that push CMAF."""
        ...

    def line(self, source: Fed) -> Line:
        """The line of a source."""
        ...


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
        status = ChannelStatus(
            state=ChannelState.STARTING,
            since=clock.now(),
            source=described(config.sources[0]),
            ladder=config.ladder_name,
        )
        self._teller = Teller(config.name, self._folder, status, clock)
        self._log = self._teller.log
        self._upkeep = Upkeep(config, self._teller)
        self._troubles = Troubles(config.name, self._teller)
        self._showing = Showing(config, self._folder, program, clock, self._teller)
        self._publisher: Publisher | None = None
        self._ingest = ingest
        self._feeds = self._feeds_of(_nobody if ingest is None else ingest.line)

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
            self._teller.state(ChannelState.STOPPED, problem=str(error))
            raise
        flusher = Flusher(self._config.name)
        try:
            if journal.set_aside is not None:
                lost = f"damaged: {journal.cut_off} bytes do not count, {journal.set_aside} has all"
                self._teller.problem("journal.damaged", lost)
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
            self._teller.make_room = journal.give_up_reserve
            self._announce(publisher)
            await self._with_lines(publisher)
        finally:
            self._publisher = self._teller.make_room = None
            if self._teller.status.state is not ChannelState.ENDED:
                self._teller.state(ChannelState.STOPPED)
            journal.close()
            await asyncio.to_thread(flusher.close)

    def _mend(self, publisher: Publisher) -> None:
        """Name what a power loss took; write down what can never be whole again.

        Raises:
            DiskError: it cannot be told, or not be written down.
        """
        if missing := publisher.missing_inits():
            # The same source brings the same ones again.
            self._teller.problem("store.lost", f"init sections are not whole: {', '.join(missing)}")
        if lost := publisher.mend():
            self._teller.problem("store.lost", told(lost))

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
                self._upkeep.trim(publisher)
                publisher.end_open_segments(self._clock.now())
                await self._play(publisher)
                self._teller.state(ChannelState.ENDED)
                await self._upkeep.go_on(publisher)
            except* RingsideError as group:
                problem = str(_first(group))
            if monotonic() - started > _HEALTHY:
                wait = _SHORTEST_WAIT
            self._log.error("channel.failed", problem=problem, retry_seconds=wait)
            restarts = self._teller.status.restarts + 1
            self._teller.state(ChannelState.BACKING_OFF, problem=problem, restarts=restarts)
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
        self._teller.state(ChannelState.STARTING)
        opened = await self._showing.open(first)
        await self._run_once(
            Shown(opened, self._config.ladder, self._teller.status.source, 0), publisher
        )
        if opened.endless:
            raise FeedError("ffmpeg ended although the source does not")
        publisher.end_open_segments(self._clock.now())
        publisher.note([Ended(self._clock.now(), identity)])
        self._log.info("source.ended")

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
        patience = float(STALL_SEGMENTS * self._config.segment)
        while True:
            publisher.count()
            self._upkeep.look(publisher)
            for broken in intake.breaks():
                self._teller.problem("timeline.broken", broken.reason)
            is_fed = publisher.timeline.edge >= 0 and monotonic() - intake.newest < patience
            self._teller.state(ChannelState.LIVE if is_fed else ChannelState.WAITING)
            await asyncio.sleep(HOUSEKEEPING)

    # The best of several

    async def _play_best(self, feeds: Feeds, publisher: Publisher) -> NoReturn:
        """Send the best of `feeds`, one after the other.

        Raises:
            RingsideError: one failed, or what it sent cannot be published.
        """
        seen: UtcMicros | None = None
        while True:
            place = await self._wait_for(feeds, publisher)
            shown = await self._showing.show(feeds, place, publisher, seen)
            if shown is None:
                await asyncio.sleep(GLANCE)
                continue
            self._teller.note(source=shown.name)
            self._log.info("source.chosen", source=shown.name)
            if self._teller.status.state not in _ON_AIR:
                self._teller.state(ChannelState.STARTING)
            seen = await self._run_once(shown, publisher)

    async def _wait_for(self, feeds: Feeds, publisher: Publisher) -> int | None:
        """The place of the best source, once there is one; None for the filler."""
        best = feeds.best(None)
        while best is None and not feeds.has_filler:
            self._tell_of_feeds(None)
            self._teller.state(ChannelState.WAITING, problem=feeds.complaint)
            self._upkeep.look(publisher)
            try:
                async with asyncio.timeout(HOUSEKEEPING):
                    best = await feeds.first()
            except TimeoutError:
                continue
        return best

    async def _run_once(self, shown: Shown, publisher: Publisher) -> UtcMicros | None:
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
            parts=parts_of(shown.ladder, config.segment),
        )
        run = Run(config, intake, self._teller, self._troubles)
        pipes = [TrackPipe(run.taker(index)) for index in range(len(specs))]
        command = arguments(
            source.feed,
            shown.ladder,
            config.segment,
            source.info,
            [pipe.write_end for pipe in pipes],
            real_time=True,
        )
        if all(audio.index == SILENCE for audio in source.info.audio):
            self._teller.problem("source.silent", "the feed has no audio")
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
                tasks.create_task(run.read_log(lines(child.process.stderr)))
                tasks.create_task(run.read_progress(lines(child.process.stdout)))
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
                self._showing.avoid(self._feeds, shown)
            try:
                intake.finish()
            except DiskError as error:
                self._teller.problem("publish.failed", str(error))
            publisher.count()
        if run.left or (feed is not None and not feed.is_connected):
            return intake.segmenter.seen
        if code:
            reason = run.complaint or f"exit code {code}"
            raise FeedError(f"ffmpeg: {reason}")
        if not intake.segmenter.anchored:
            raise FeedError(run.complaint or "the feed ended without a picture")
        return intake.segmenter.seen

    async def _watch(
        self, feeds: Feeds, shown: Shown, run: Run, child: Child, publisher: Publisher
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
        else:
            self._teller.problem("source.lost", f"{shown.name}: {feed.complaint}")
        run.left = True
        if run.intake.segmenter.leave_after is not None:
            child.kill()
        else:
            await self._leave(shown, child)

    async def _part(self, run: Run, publisher: Publisher) -> None:
        """Return where all tracks have ended the segment that any of them is in."""
        segmenter = run.intake.segmenter
        segmenter.leave_after = publisher.timeline.reached
        if segmenter.has_left:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(float(2 * self._config.segment)):
                await run.has_left.wait()

    async def _leave(self, shown: Shown, child: Child) -> None:
        """Have an ffmpeg send what it still has, and end."""
        if shown.feed is not None:
            shown.feed.detach()
        try:
            async with asyncio.timeout(_LAST_WORDS):
                await child.process.wait()
        except TimeoutError:
            child.kill()

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

    # Housekeeping

    async def _housekeeping(
        self, run: Run, publisher: Publisher, shown: Shown, inlet: Inlet | None
    ) -> None:
        """Watch the run.

        Raises:
            FeedError: nothing has come for too long, or it trails the clock by too much.
            JournalError: somebody has taken the journal away.
        """
        while True:
            await asyncio.sleep(HOUSEKEEPING)
            run.check_alive()
            if inlet is not None and inlet.overrun:
                raise FeedError("ffmpeg takes the feed slower than it comes")
            self._upkeep.look(publisher)
            self._tell_of_feeds(shown.place)
            run.look(publisher)
            if run.intake.segmenter.anchored:
                self._teller.state(self._on_air(shown))

    def _tell_of_feeds(self, active: int | None) -> None:
        if self._feeds is not None:
            self._teller.note(feeds=self._feeds.statuses(self._config.name, active))

    def _on_air(self, shown: Shown) -> ChannelState:
        if shown.is_filler:
            return ChannelState.FILLER
        return ChannelState.DEGRADED if self._upkeep.is_short_of_room else ChannelState.LIVE


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
