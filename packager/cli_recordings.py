"""The commands for recordings of feeds: record, extract, send."""

import argparse
import asyncio
import random
from fractions import Fraction
from pathlib import Path

from packager.errors import SetupError
from packager.runtime import ffmpeg_program
from packager.runtime.config_file import load
from packager.runtime.signals import until_signal
from packager.source import Fed, described
from packager.ticks import MICROS, UtcMicros, iso8601
from packager.units import parse_duration, quoted

_FASTEST = 100


def add_recordings(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    text = "Record what a source brings, byte for byte, with the times at which it comes"
    record = commands.add_parser("record", help=text, description=text)
    record.set_defaults(run=_record)
    record.add_argument(
        "source",
        metavar="SOURCE",
        help="udp://host:port, srt://host:port, rtmp://..., HLS by http://..., or a channel",
    )
    record.add_argument(
        "number", nargs="?", type=int, default=1, metavar="N", help="of the channel's sources"
    )
    record.add_argument("-c", "--config", type=Path, metavar="FILE")
    record.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file")
    record.add_argument(
        "--for", dest="lasts", metavar="DURATION", help="such as 90s; where not given, until ^C"
    )
    record.add_argument("--ffmpeg", metavar="PROGRAM")
    text = "Write the bytes of each connection of a recording to a file of its own"
    extract = commands.add_parser("extract", help=text, description=text)
    extract.set_defaults(run=_extract)
    extract.add_argument("recording", type=Path, metavar="RECORDING")
    extract.add_argument("--out", type=Path, required=True, metavar="DIR")
    text = "Send a recording, or a .ts or .flv file, in real time, with faults on demand"
    send = commands.add_parser("send", help=text, description=text)
    send.set_defaults(run=_send)
    send.add_argument("file", type=Path, metavar="FILE")
    send.add_argument(
        "target",
        metavar="TARGET",
        help="udp://host:port, rtp://host:port, srt://host:port, rtmp://host/live/key or "
        "http://host/push/key",
    )
    send.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="FAULT",
        help="again for more: loss=0.5%% loss=2%%x10 stall=10s+3s[,lost] jump=20s+3600s wrap=5s "
        "reconnect=10s+8s[,restart|,absurd] drift=100ppm mute=10s skew=250ms",
    )
    send.add_argument("--loop", action="store_true", help="over and over")
    send.add_argument("--speed", default="1", metavar="FACTOR", help="such as 2 or 1/2")
    send.add_argument("--seed", type=int, default=1, metavar="N", help="of the chance of losses")
    send.add_argument("--ffmpeg", metavar="PROGRAM")


def _record(arguments: argparse.Namespace) -> None:
    from packager.runtime.ingest import Ingest  # noqa: PLC0415 - as in cli.py
    from packager.runtime.record import Recorded, line_for, record  # noqa: PLC0415

    lasts = None if arguments.lasts is None else _duration("--for", arguments.lasts)
    program: str | None = arguments.ffmpeg
    done = Recorded()
    if arguments.config is None:
        line = line_for(arguments.source, ffmpeg_program.find(program))
        work = record(line, arguments.out, lasts, done)
    else:
        config = load(arguments.config)
        name: str = arguments.source
        if name not in config.channels:
            raise SetupError(f"{quoted(name)}: no such channel in {arguments.config}")
        sources = config.channels[name].sources
        number: int = arguments.number
        if not 1 <= number <= len(sources):
            raise SetupError(f"{name}: source {number} of {len(sources)} is none")
        source = sources[number - 1]
        if not isinstance(source, Fed):
            raise SetupError(f"{described(source)}: nobody sends it")
        ingest = Ingest(config.ingest, [source], ffmpeg_program.find(program or config.ffmpeg))

        async def recorded() -> None:
            async with ingest:
                await record(ingest.line(source), arguments.out, lasts, done)

        work = recorded()
    asyncio.run(until_signal(work))
    _say(f"recorded {_counted(done.connections)}, {done.size} bytes, to {arguments.out}")


def _extract(arguments: argparse.Namespace) -> None:
    from packager.runtime.media_file import extract  # noqa: PLC0415 - as above

    for one in extract(arguments.recording, arguments.out):
        seconds = (one.ended - one.begun.at) / MICROS
        reason = "the recording ends" if one.reason is None else one.reason
        _say(
            f"{one.file}  {iso8601(UtcMicros(one.begun.at))}  {seconds:.3f} s  {one.size} bytes  "
            f"{one.begun.peer}: {reason}"
        )


def _send(arguments: argparse.Namespace) -> None:
    from packager.feed.fault_text import parse_fault  # noqa: PLC0415 - as above
    from packager.feed.faults import with_faults  # noqa: PLC0415
    from packager.runtime.media_file import schedule_of  # noqa: PLC0415
    from packager.runtime.sender import Sent, send  # noqa: PLC0415
    from packager.runtime.targets import target_of  # noqa: PLC0415

    try:
        faults = [parse_fault(text) for text in arguments.fault]
    except ValueError as error:
        raise SetupError(f"--fault {error}") from None
    speed = _speed(arguments.speed)
    schedule = schedule_of(arguments.file, loop=arguments.loop)
    chance = random.Random(arguments.seed).random  # noqa: S311 - meant to repeat
    target = target_of(arguments.target, ffmpeg_program.find(arguments.ffmpeg))
    sent = Sent()
    faulty = with_faults(schedule, faults, chance)
    asyncio.run(until_signal(send(faulty, target, speed=speed, sent=sent)))
    _say(f"sent {_counted(sent.connections)}, {sent.size} bytes")


def _speed(text: str) -> Fraction:
    try:
        speed = Fraction(text[:20])
    except (ValueError, ZeroDivisionError):
        speed = Fraction(0)
    if not Fraction(1, _FASTEST) <= speed <= _FASTEST:
        raise SetupError(f"--speed {quoted(text)}: a factor from 1/{_FASTEST} to {_FASTEST}")
    return speed


def _duration(option: str, text: str) -> Fraction:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise SetupError(f"{option}: {error}") from error


def _counted(connections: int) -> str:
    return f"{connections} connection{'s' * (connections != 1)}"


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command speaks to a person
