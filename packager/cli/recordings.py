"""`ringside record`, `extract` and `send`: the bytes of a feed, recorded and sent again."""

import asyncio
import random
from argparse import ArgumentParser, Namespace
from collections.abc import Coroutine
from fractions import Fraction
from pathlib import Path

from packager.cli.command import Command, add_ffmpeg, channel_in, duration_of, show
from packager.config.quantities import quoted
from packager.config.sources import Fed, described, source_label
from packager.errors import FeedError, SetupError
from packager.host import logs
from packager.host.config_file import LoadedConfig, load
from packager.impairment.faults import with_faults
from packager.impairment.syntax import parse_fault
from packager.runtime.ffmpeg import program
from packager.runtime.ingest.listeners import IngestPorts
from packager.runtime.service.signals import until_signal
from packager.runtime.tools.feed_url import receiver_for
from packager.runtime.tools.media_file import ExtractedConnection, extract, schedule_of
from packager.runtime.tools.progress import LiveText, TransferCount, progress
from packager.runtime.tools.record import RecordingJob, record
from packager.runtime.tools.sending.sender import send
from packager.runtime.tools.sending.targets import FORMS, target_of
from packager.timing.ticks import MICROS, UtcMicros, iso8601

_MAX_SPEED = 100


def _add_record_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="udp://host:port, srt://host:port, rtmp://..., an HLS playlist at http://..., or a "
        "channel of --config",
    )
    parser.add_argument(
        "number",
        nargs="?",
        type=int,
        default=1,
        metavar="N",
        help="source of the channel, counted from 1; default: 1",
    )
    parser.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help="configuration that has the channel"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="recording to make: a new file"
    )
    parser.add_argument(
        "--for", dest="duration", metavar="DURATION", help="for example 90s; default: until Ctrl-C"
    )
    add_ffmpeg(parser)


def _record(arguments: Namespace) -> None:
    duration = None if arguments.duration is None else duration_of("--for", arguments.duration)
    job = RecordingJob(arguments.out, None if duration is None else float(duration))
    count = TransferCount()
    work = _recording(arguments, job, count)
    with progress("recording", LiveText(count.in_words)):
        logs.configure()  # log lines appear above the progress
        asyncio.run(until_signal(work))
    if not count.connections:
        raise FeedError("no feed arrived: nothing was recorded")
    show(f"recorded {count.in_words()}, to {arguments.out}")


def _recording(
    arguments: Namespace, job: RecordingJob, count: TransferCount
) -> Coroutine[None, None, None]:
    """What records the feed that `arguments` name."""
    if arguments.config is None:
        receiver = receiver_for(arguments.source, program.find(arguments.ffmpeg))
        return record(receiver, job, count)
    config = load(arguments.config)
    channel = channel_in(config, arguments.config, arguments.source)
    source = _fed_source(config, channel, arguments.number)
    ports = IngestPorts(config.ingest, [source], program.find(arguments.ffmpeg or config.ffmpeg))
    return _record_from_port(ports, source, job, count)


def _fed_source(config: LoadedConfig, channel: str, number: int) -> Fed:
    """Source `number` of `channel`, counted from 1.

    Raises:
        SetupError: there is no such source, or it receives no feed.
    """
    sources = config.channels[channel].sources
    if not 1 <= number <= len(sources):
        several = f"sources 1 to {len(sources)}" if len(sources) > 1 else "one source"
        raise SetupError(f"{channel}: no source {number}: the channel has {several}")
    source = sources[number - 1]
    if not isinstance(source, Fed):
        raise SetupError(
            f"{channel}: {source_label(number - 1, described(source))} cannot be recorded: "
            "only rtmp, srt, udp, push and hls sources receive a feed"
        )
    return source


async def _record_from_port(
    ports: IngestPorts, source: Fed, job: RecordingJob, count: TransferCount
) -> None:
    async with ports:
        await record(ports.receiver_for(source), job, count)


def _add_extract_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("recording", type=Path, metavar="RECORDING", help="made by ringside record")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for files")


def _extract(arguments: Namespace) -> None:
    for connection in extract(arguments.recording, arguments.out):
        show(_connection_line(connection))


def _connection_line(connection: ExtractedConnection) -> str:
    begun = connection.begun
    seconds = (connection.ended - begun.at) / MICROS
    reason = "end of the recording" if connection.reason is None else connection.reason
    return (
        f"{connection.file}  {iso8601(UtcMicros(begun.at))}  {seconds:.3f} s  "
        f"{connection.size} bytes  {begun.peer}: {reason}"
    )


def _add_send_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="a recording, a .ts file or an .flv file"
    )
    parser.add_argument("target", metavar="TARGET", help=FORMS)
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="FAULT",
        help="fault to add; repeat for several: loss=0.5%% loss=2%%x10 stall=10s+3s[,lost] "
        "jump=20s+3600s wrap=5s reconnect=10s+8s[,restart|,absurd] drift=100ppm mute=10s "
        "skew=250ms",
    )
    parser.add_argument("--loop", action="store_true", help="start over at the end of the file")
    parser.add_argument(
        "--speed", default="1", metavar="FACTOR", help="for example 2 or 1/2; default: 1"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="seed of random losses; default: 1"
    )
    add_ffmpeg(parser)


def _send(arguments: Namespace) -> None:
    try:
        faults = [parse_fault(text) for text in arguments.fault]
    except ValueError as error:
        raise SetupError(f"--fault {error}") from None
    speed = _speed(arguments.speed)
    schedule = schedule_of(arguments.file, loop=arguments.loop)
    chance = random.Random(arguments.seed).random  # noqa: S311 - meant to repeat
    target = target_of(arguments.target, program.find(arguments.ffmpeg))
    count = TransferCount()
    work = send(with_faults(schedule, faults, chance), target, speed=speed, count=count)
    with progress("sending", LiveText(count.in_words)):
        asyncio.run(until_signal(work))
    show(f"sent {count.in_words()}")


def _speed(text: str) -> Fraction:
    try:
        speed = Fraction(text[:20])
    except (ValueError, ZeroDivisionError):
        speed = Fraction(0)
    if not Fraction(1, _MAX_SPEED) <= speed <= _MAX_SPEED:
        raise SetupError(
            f"--speed {quoted(text)}: not a factor from 1/{_MAX_SPEED} to {_MAX_SPEED}"
        )
    return speed


COMMANDS = {
    "record": Command(
        _add_record_arguments,
        _record,
        (
            "ringside record udp://239.0.0.1:5000 --out feed.recording --for 60s",
            "ringside record -c ringside.yaml tv 2 --out feed.recording",
        ),
    ),
    "extract": Command(
        _add_extract_arguments, _extract, ("ringside extract feed.recording --out feed",)
    ),
    "send": Command(
        _add_send_arguments,
        _send,
        (
            "ringside send feed.ts rtmp://127.0.0.1/live/KEY --loop",
            "ringside send feed.recording udp://127.0.0.1:5000 --fault loss=0.5%",
        ),
    ),
}
