"""A channel with one source that ffmpeg reads by itself: a test pattern or files."""

from hashlib import sha256
from pathlib import Path

from packager.config.sources import FileSource, Source, described
from packager.diagnostics.status import ChannelState
from packager.errors import FeedError
from packager.runtime.channel.encoder_run import EncoderRun, Outcome, RunEnded, RunFailed
from packager.runtime.channel.program import ChannelContext, OnAirSource, ProgramSelector
from packager.runtime.storage.publisher import Publisher
from packager.timeline.records import SourceEnded


class DirectRun:
    """Publishes the source to its end; the journal keeps that a finite source has ended."""

    def __init__(self, context: ChannelContext, source: Source) -> None:
        self._context = context
        self._source = source
        self._program = ProgramSelector(context)

    async def run(self, publisher: Publisher) -> Outcome:
        """Run ffmpeg once, unless the source has ended by the journal.

        Raises:
            FeedError: the source cannot be opened.
            DiskError: its media could not be published.
        """
        identity = _identity(self._source)
        if identity and publisher.timeline.ended_source == identity:
            return RunEnded(None)
        self._context.reporter.set_state(ChannelState.STARTING)
        opened = await self._program.open(self._source)
        name = described(self._source)
        source = OnAirSource(opened, self._context.config.ladder, name, place=0)
        async with self._context.ffmpeg.starts.place() as start:
            outcome = await EncoderRun(self._context, source, publisher, on_media=start.leave).run()
        if isinstance(outcome, RunFailed):
            return outcome
        if opened.endless:
            return RunFailed("ffmpeg ended although the source does not", has_media=True)
        now = self._context.clock.now()
        publisher.end_open_segments(now)
        publisher.note([SourceEnded(now, identity)])
        self._context.reporter.log.info("source.ended")
        return outcome


def _identity(source: Source) -> str:
    """A digest that is different for each finite source; empty for a source without an end.

    Raises:
        FeedError: a file is missing.
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
