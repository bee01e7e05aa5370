"""Follows the journals of a data folder: files in, timelines out.

The kernel tells of every write (inotify); a look once in a while catches what it cannot tell of,
such as a folder on a network file system.
"""

import asyncio
import os
from collections.abc import Hashable, Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import structlog
from asyncinotify import Inotify, Mask
from cachetools import LRUCache

from origin.known import ChannelView
from origin.reply import Reply
from packager.device import Device
from packager.errors import JournalError
from packager.fold import apply
from packager.journal import TAIL, Reader, end_of_rewrite, place_of
from packager.layout import JOURNAL
from packager.manifest.text import Tapes
from packager.timeline import Timeline

_LOOK = 1.0
"""Seconds between two looks that nobody asked for."""
_READ = 4 << 20
"""Bytes."""
_MOST_RENDERED = 64 << 20
"""Bytes of a channel's manifests that are kept: of twelve hours, one may have three million."""
_NONE: Mapping[str, Device] = MappingProxyType({})
_WATCHED = Mask.MODIFY | Mask.MOVED_TO | Mask.CREATE


Rendered = LRUCache[Hashable, Reply]


def _nothing_rendered() -> Rendered:
    return LRUCache(_MOST_RENDERED, getsizeof=_size)


def _size(reply: Reply) -> int:
    return reply.answer.size


class FollowedChannel:
    """One channel's timeline, as far as its journal has been read."""

    def __init__(
        self,
        name: str,
        folder: Path,
        window: Fraction,
        retention: Fraction,
        *,
        hides_filler: bool = False,
        devices: Mapping[str, Device] = _NONE,
    ) -> None:
        """Follow the journal in `folder`; the rolling window and the retention are in seconds.

        `hides_filler`: what is sent while there is no feed is not for viewers at the live edge.
        `devices`: the profiles that there are, by name.
        """
        self.name = name
        self.folder = folder
        self.timeline = Timeline()
        self.rendered = _nothing_rendered()
        """What was made of this version of the timeline; a new version starts an empty one."""
        self.tapes = Tapes()
        """What manifests go on from, version after version."""
        self._window = window
        self._retention = retention
        self._hides_filler = hides_filler
        self._devices = devices
        self.view = self._viewed(self.timeline)
        """What decisions are made from."""
        self._offset = 0
        """Where in the journal the first record lies that is not in the timeline."""
        self._reported = -1
        """The offset that was last reported as damaged."""
        self._descriptor = -1
        self._identity: tuple[int, int] | None = None
        self._tail = b""
        """What lies right before the offset."""
        self._grown = asyncio.Event()
        self._log = structlog.get_logger().bind(channel=name)

    def _viewed(self, timeline: Timeline) -> ChannelView:
        return ChannelView(
            timeline, self._window, self._retention, self._hides_filler, self._devices
        )

    async def grown(self) -> None:
        """Return once there is anything new."""
        await self._grown.wait()

    def catch_up(self) -> None:
        """Read what the journal has gained since the last look."""
        try:
            timeline, replaced = self.timeline, self._is_replaced()
            if replaced:
                # Whatever the file before has gained until it was replaced.
                timeline = self._read_on(timeline)
                replaced = not self._goes_on()
            timeline = self._read_on(Timeline() if replaced else timeline)
        except OSError as error:
            # From the start, next time.
            self.close()
            self._identity, self._offset, self._tail = None, 0, b""
            self._log.warning("journal.unreadable", problem=str(error))
            return
        if timeline is self.timeline:
            return
        before, self.timeline = self.timeline, timeline
        self.view = self._viewed(timeline)
        if replaced or (timeline.version, timeline.edge) != (before.version, before.edge):
            self.rendered = _nothing_rendered()
        if replaced or timeline.retold != before.retold:
            self.tapes = Tapes()
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def _is_replaced(self) -> bool:
        """Whether the journal is not the file that was read so far."""
        path = self.folder / JOURNAL
        try:
            found = path.stat()
        except FileNotFoundError:
            return False  # what has been read of it stays right
        identity = (found.st_dev, found.st_ino)
        known = identity == self._identity and found.st_size >= self._offset
        # A power loss of another machine may take an end that was read here, and the packager
        # goes on in its place.
        if known and self._before(self._offset) == self._tail:
            return False
        if identity == self._identity:
            self.close()  # what it has before the offset is not what was read
        return True

    def _goes_on(self) -> bool:
        """Open the journal that has taken the place of the one before.

        Returns: whether it is the same written anew, of which nothing needs to be read again.
        """
        place = place_of(self._tail, self._offset)
        self.close()
        self._descriptor = os.open(self.folder / JOURNAL, os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(self._descriptor)
        self._identity, self._reported = (found.st_dev, found.st_ino), -1
        end = end_of_rewrite(os.pread(self._descriptor, found.st_size, 0), place)
        self._offset = end or 0
        self._tail = self._before(self._offset)
        return end is not None

    def _before(self, offset: int) -> bytes:
        if self._descriptor < 0:
            return b""
        size = min(TAIL, offset)
        return os.pread(self._descriptor, size, offset - size)

    def _read_on(self, timeline: Timeline) -> Timeline:
        """Fold what the journal has after the last whole record.

        A torn end is read again every time: the packager may have cut it off meanwhile and gone on
        in its place.
        """
        if self._descriptor < 0:
            return timeline
        reader, at = Reader(self._offset), self._offset
        try:
            while not reader.damaged and (data := os.pread(self._descriptor, _READ, at)):
                at += len(data)
                for record in reader.feed(data):
                    timeline = apply(timeline, record)
                    self._offset = reader.offset
            if reader.damaged:
                self._report("a line that is no record", self._offset)
        except JournalError as error:
            self._report(str(error), self._offset)
        self._tail = self._before(self._offset)
        return timeline

    def _report(self, problem: str, offset: int) -> None:
        if self._reported != offset:
            self._reported = offset
            self._log.error("journal.damaged", offset=offset, problem=problem)

    def close(self) -> None:
        """Stop reading."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


async def follow(channels: Mapping[str, FollowedChannel]) -> None:
    """Keep every channel's timeline up to date until cancelled."""
    for channel in channels.values():
        channel.catch_up()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_look_now_and_then(channels))
        tasks.create_task(_listen(channels))


async def _look_now_and_then(channels: Mapping[str, FollowedChannel]) -> None:
    while True:
        await asyncio.sleep(_LOOK)
        for channel in channels.values():
            channel.catch_up()


async def _listen(channels: Mapping[str, FollowedChannel]) -> None:
    with Inotify() as inotify:
        by_folder = {channel.folder: channel for channel in channels.values()}
        for folder in by_folder:
            inotify.add_watch(str(folder), _WATCHED)  # pyright: ignore[reportUnknownMemberType]
        async for event in inotify:
            if event.watch is not None and event.name is not None and event.name.name == JOURNAL:
                by_folder[Path(event.watch.path)].catch_up()
