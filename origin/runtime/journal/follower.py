"""Follows the journals of a data folder, and keeps a timeline of each.

inotify reports each write. A look once a second also finds the writes that inotify does not report,
such as those of another machine on a network file system.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import structlog
from asyncinotify import Inotify, Mask

from origin.decision.channel_state import ChannelSnapshot
from packager.config.devices import Device
from packager.errors import JournalError
from packager.journal.format import TAIL, JournalReader, end_of_rewrite, place_of
from packager.layout import JOURNAL
from packager.timeline.apply import apply
from packager.timeline.model import Timeline

_LOOK = 1.0
"""Seconds between two looks without a report of inotify."""
_READ = 4 << 20
"""Bytes of one read."""
_NO_DEVICES: Mapping[str, Device] = MappingProxyType({})
_WATCHED = Mask.MODIFY | Mask.MOVED_TO | Mask.CREATE


class FollowedChannel:
    """The timeline of one channel, up to the last record that was read."""

    def __init__(
        self,
        name: str,
        folder: Path,
        window: Fraction,
        retention: Fraction,
        *,
        hides_filler: bool = False,
        devices: Mapping[str, Device] = _NO_DEVICES,
    ) -> None:
        """Follow the journal in `folder`; the rolling window and the retention are in seconds.

        `hides_filler`: live manifests are not served while the filler is on air.
        `devices`: the device profiles, by name.
        """
        self.name = name
        self.folder = folder
        self.timeline = Timeline()
        self.generation = 0
        """Times that the timeline was built from a journal's first record again."""
        self.snapshot = ChannelSnapshot(self.timeline, window, retention, hides_filler, devices)
        """The input of decisions."""
        self._offset = 0
        """Position in the journal of the first record that is not in the timeline."""
        self._reported = -1
        """The offset of the damage that was reported last."""
        self._descriptor = -1
        self._identity: tuple[int, int] | None = None
        self._tail = b""
        """The bytes before the offset."""
        self._growth = asyncio.Event()
        self._log = structlog.get_logger().bind(channel=name)

    async def grown(self) -> None:
        """Return once the timeline has changed."""
        await self._growth.wait()

    def catch_up(self) -> None:
        """Read the records that were written since the last look."""
        try:
            timeline, replaced = self.timeline, self._is_replaced()
            if replaced:
                # The previous file may have gained records before it was replaced.
                timeline = self._read_on(timeline)
                replaced = not self._goes_on()
            timeline = self._read_on(Timeline() if replaced else timeline)
        except OSError as error:
            # The next look starts from the first record.
            self.close()
            self._identity, self._offset, self._tail = None, 0, b""
            self._log.warning("journal.read_failed", problem=str(error))
            return
        if timeline is self.timeline:
            return
        self.timeline = timeline
        self.snapshot = replace(self.snapshot, timeline=timeline)
        self.generation += replaced
        growth, self._growth = self._growth, asyncio.Event()
        growth.set()

    def _is_replaced(self) -> bool:
        """Whether the journal is another file than the one that was read."""
        path = self.folder / JOURNAL
        try:
            found = path.stat()
        except FileNotFoundError:
            return False  # the records that were read stay valid
        identity = (found.st_dev, found.st_ino)
        known = identity == self._identity and found.st_size >= self._offset
        # A power loss of the packager's machine may remove records that were read here. The
        # packager then writes others in their place.
        if known and self._before(self._offset) == self._tail:
            return False
        if identity == self._identity:
            self.close()  # the bytes before the offset have changed
        return True

    def _goes_on(self) -> bool:
        """Open the journal that replaced the previous one.

        Returns: whether it is a compacted copy, of which no record has to be read again.
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
        """Apply the records after the offset to `timeline`.

        A torn end is read again at each look: the packager may have replaced it.
        """
        if self._descriptor < 0:
            return timeline
        reader, at = JournalReader(self._offset), self._offset
        try:
            while not reader.damaged and (data := os.pread(self._descriptor, _READ, at)):
                at += len(data)
                for record in reader.feed(data):
                    timeline = apply(timeline, record)
                    self._offset = reader.offset
            if reader.damaged:
                self._report("a line is not a valid record", self._offset)
        except JournalError as error:
            self._report(str(error), self._offset)
        self._tail = self._before(self._offset)
        return timeline

    def _report(self, problem: str, offset: int) -> None:
        if self._reported != offset:
            self._reported = offset
            self._log.error("journal.damage_found", offset=offset, problem=problem)

    def close(self) -> None:
        """Close the journal's file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


async def follow(channels: Mapping[str, FollowedChannel]) -> None:
    """Keep the timelines of all channels up to date until cancelled."""
    for channel in channels.values():
        channel.catch_up()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_look_regularly(channels))
        tasks.create_task(_listen(channels))


async def _look_regularly(channels: Mapping[str, FollowedChannel]) -> None:
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
