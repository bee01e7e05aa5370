"""The `ringside` command."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import msgspec

from packager import logs
from packager.cli_recordings import add_recordings
from packager.clock import SystemClock
from packager.config import OriginConfig, parse_config
from packager.counting import count_together
from packager.errors import ConfigError, RingsideError, SetupError
from packager.folders import make_folders
from packager.listening import listening
from packager.playback_token import sign
from packager.runtime import encoders, ffmpeg_program
from packager.runtime.config_file import LoadedConfig, load, load_ladder
from packager.runtime.machine import check_machine, check_writable, held
from packager.runtime.signals import until_signal
from packager.secret import Secret
from packager.text_file import read
from packager.ticks import MICROS, parse_iso8601
from packager.units import parse_duration, quoted

_CANNOT = 2
"""Exit code of what cannot start: wrong configuration, wrong machine."""
_FAILED = 1
_AT = {
    "start": "2026-01-01T00:00:00Z or now; where not given, now unless it has begun already",
    "end": "2026-01-01T00:00:00Z; where not given, now",
}
"""What may be said of when an event begins and ends."""
_FAR = 4_102_444_800 * MICROS
"""2100-01-01T00:00:00Z."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run a `ringside` command; exits with 2 and one line where it cannot start."""
    arguments = _parser().parse_args(argv)
    logs.configure()
    try:
        arguments.run(arguments)
    except (ConfigError, SetupError) as error:
        sys.exit(_say(error, _CANNOT))
    except RingsideError as error:
        sys.exit(_say(error, _FAILED))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _say(error: Exception, code: int) -> int:
    print(f"ringside: {error}", file=sys.stderr)  # noqa: T201 - a command speaks to a person
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ringside", description=__doc__)
    parser.add_argument("--version", action="version", version=version("ringside"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=function)
        return command

    for name, function, text in (
        ("run", _run, "Run packager and origin"),
        ("check", _check, "Check a configuration; exit code 2 and one line if it is wrong"),
        ("packager", _packager, "Run the packager alone"),
        ("origin", _origin, "Run the origin alone"),
    ):
        command = add(name, function, text)
        command.add_argument("-c", "--config", type=Path, required=True, metavar="FILE")
    replay = add("replay", _replay, "Package recorded files on a virtual clock")
    replay.add_argument("files", nargs="+", metavar="FILE")
    replay.add_argument("--channel", required=True, metavar="NAME")
    replay.add_argument("--start", required=True, metavar="TIME", help="2026-01-01T00:00:00Z")
    replay.add_argument("--out", type=Path, required=True, metavar="DIR")
    replay.add_argument(
        "--ladder", default="passthrough", metavar="NAME", help="a shipped ladder or a .yaml file"
    )
    replay.add_argument("--ffmpeg", metavar="PROGRAM")
    looking = add("probe", _probe, "Look at a feed; exit code 1 when something is wrong with it")
    looking.add_argument("target", metavar="FILE|URL")
    looking.add_argument(
        "--seconds",
        type=int,
        choices=range(1, 3601),
        metavar="N",
        help="how long; where not given, 10, or a file to its end",
    )
    looking.add_argument(
        "--ladder", metavar="NAME", help="that it is for: shipped, or a .yaml file"
    )
    looking.add_argument(
        "--program", type=int, choices=range(1, 65536), metavar="N", help="of several in it"
    )
    looking.add_argument("--json", action="store_true", help="for machines")
    looking.add_argument("--ffmpeg", metavar="PROGRAM")
    ladder = add("ladder", _ladder, "Try a ladder on this machine: what it costs, whether it holds")
    ladder.add_argument("ladder", metavar="PROFILE", help="a shipped ladder or a .yaml file")
    ladder.add_argument(
        "--source", metavar="FILE", help="looped; where not given, the test pattern"
    )
    ladder.add_argument(
        "--seconds", type=int, default=20, metavar="N", help="of media; where not given, 20"
    )
    ladder.add_argument("--ffmpeg", metavar="PROGRAM")
    ladder.add_argument("--json", action="store_true", help="for programs")
    add_recordings(commands)
    top = add("top", _top, "Show all channels, their feeds and viewers, live; Ctrl-C ends it")
    top.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help="whose control port to ask; else 8081"
    )
    top.add_argument("--once", action="store_true", help="print one view and exit")
    _add_event(commands)
    token = add("token", _token, "Make a playback token, for who is to play a channel")
    token.add_argument("-c", "--config", type=Path, required=True, metavar="FILE")
    token.add_argument("channel", metavar="CHANNEL")
    token.add_argument(
        "--for",
        dest="lasts",
        default="4h",
        metavar="DURATION",
        help="such as 90m; where not given, 4h",
    )
    token.add_argument(
        "--prefix",
        default="",
        metavar="PATH",
        help="what stands behind the channel, such as /event/fight; where not given, nothing",
    )
    harvest = add("harvest", _harvest, "Copy an event to files that any file server can serve")
    harvest.add_argument("event", metavar="EVENT")
    harvest.add_argument("-c", "--config", type=Path, required=True, metavar="FILE")
    harvest.add_argument("--channel", metavar="NAME", help="where several have such an event")
    harvest.add_argument("--out", type=Path, required=True, metavar="DIR")
    harvest.add_argument("--mp4", action="store_true", help="one file of the best rendition too")
    return parser


def _add_event(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "Begin, end or list events: named stretches of a channel"
    orders = commands.add_parser("event", help=text, description=text).add_subparsers(
        required=True, metavar="ORDER"
    )
    for name, text in (
        ("start", "Begin an event, now or at a time; again to move, pin or unpin it"),
        ("end", "End an event, now or at a time"),
        ("remove", "Forget an event; what it pinned may leave the retention"),
        ("list", "Say what events a channel has"),
    ):
        order = orders.add_parser(name, help=text, description=text)
        order.set_defaults(run=_event, order=name)
        order.add_argument("-c", "--config", type=Path, required=True, metavar="FILE")
        order.add_argument("channel", metavar="CHANNEL")
        if name != "list":
            order.add_argument("event", metavar="EVENT")
        if name in ("start", "end"):
            order.add_argument("--at", metavar="TIME", help=_AT[name])
        if name == "start":
            order.add_argument("--end", metavar="TIME", help="where that is known already")
            order.add_argument(
                "--pin",
                action=argparse.BooleanOptionalAction,
                help="keep it when the retention has passed it, or do so no longer",
            )


def _event(arguments: argparse.Namespace) -> None:
    from packager.runtime import orders  # noqa: PLC0415 - the other commands need none of it

    port = orders.ControlPort(*_control(load(arguments.config).origin))
    if arguments.order == "list":
        listed = orders.listed(port, arguments.channel)
        print("\n".join(listed) or "no events")  # noqa: T201 - a command speaks to a person
        return
    said = orders.give(port, arguments.channel, arguments.event, vars(arguments))
    print(said)  # noqa: T201 - as above


def _probe(arguments: argparse.Namespace) -> None:
    from rich.console import Console  # noqa: PLC0415 - as above

    from packager.runtime import probing  # noqa: PLC0415 - as above

    ladder = arguments.ladder
    job = probing.Job(
        target=arguments.target,
        seconds=arguments.seconds,
        ladder=None if ladder is None else load_ladder(ladder, Path(), "--ladder", ""),
        program=arguments.program,
        ffmpeg=ffmpeg_program.find(arguments.ffmpeg),
    )
    found = asyncio.run(probing.run(job))
    if arguments.json:
        print(probing.as_json(found).decode())  # noqa: T201 - as above
    else:
        probing.show(found, Console())
    if found.advice:
        sys.exit(_FAILED)


def _control(origin: OriginConfig) -> tuple[str, Secret | None]:
    """Where the control port is, and what it wants to be shown."""
    return f"http://{_reachable(origin.control_host)}:{origin.control_port}", origin.control_token


def _top(arguments: argparse.Namespace) -> None:
    from rich.console import Console  # noqa: PLC0415 - as above

    from packager.runtime import orders, top  # noqa: PLC0415 - as above

    origin = OriginConfig()
    if arguments.config is not None:
        text = read(arguments.config, str(arguments.config))
        origin = parse_config(text, str(arguments.config), os.environ, feeds=False).origin
    port = orders.ControlPort(*_control(origin))
    if arguments.once:
        top.show_once(port, Console())
        return
    leave_on_signals()
    with suppress(KeyboardInterrupt):
        top.show(port, Console())


def _token(arguments: argparse.Namespace) -> None:
    config = load(arguments.config)
    name: str = arguments.channel
    if name not in config.channels:
        raise SetupError(f"{quoted(name)}: no such channel in {arguments.config}")
    keys = config.channels[name].access.token_keys
    if not keys:
        raise SetupError(f"channels.{name}.access.token_keys: none in {arguments.config}")
    try:
        lasts = parse_duration(arguments.lasts)
    except ValueError as error:
        raise SetupError(f"--for: {error}") from error
    if arguments.prefix and not arguments.prefix.startswith("/"):
        raise SetupError(f"--prefix {quoted(arguments.prefix)}: begins with a /")
    expires = (SystemClock().now() + lasts * MICROS) // MICROS
    prefix = f"/live/{name}{arguments.prefix}"
    try:
        token = sign(keys[0], prefix, expires)
    except ValueError as error:
        raise SetupError(str(error)) from error
    origin = config.origin
    base = f"http://{_reachable(origin.host)}:{origin.port}"
    print(f"{token}\n{base}/t/{token}{prefix}/index.m3u8")  # noqa: T201 - as above


def _harvest(arguments: argparse.Namespace) -> None:
    from packager.runtime import harvest  # noqa: PLC0415 - as above

    config = load(arguments.config)
    names = [arguments.channel] if arguments.channel else list(config.channels)
    if unknown := [name for name in names if name not in config.channels]:
        raise SetupError(f"--channel {unknown[0]}: no such channel in {arguments.config}")
    job = harvest.Job(
        event=arguments.event,
        folders={name: config.data / name for name in names},
        out=arguments.out,
        program=ffmpeg_program.find(config.ffmpeg) if arguments.mp4 else None,
    )
    leave_on_signals()
    done = harvest.run(job, SystemClock().now())
    if done.less is not None:
        print(f"ringside: {done.less}", file=sys.stderr)  # noqa: T201 - as above
    print(f"harvested to {done.out}")  # noqa: T201 - as above


def leave_on_signals() -> None:
    """Clean up on the signals that end a process, as on an interrupt from the keyboard."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _leave)


def _leave(number: int, _: object) -> None:
    sys.exit(128 + number)


def _run(arguments: argparse.Namespace) -> None:
    from packager.runtime import supervisor  # noqa: PLC0415 - the other commands need none of it

    config = load(arguments.config)
    _find_ffmpeg(config)
    check_machine(config)
    with listening(config.origin) as listeners:
        _welcome(config)
        asyncio.run(supervisor.supervise(config.path, config.data, listeners, packager=True))


def _find_ffmpeg(config: LoadedConfig, *, try_out: bool = True) -> str:
    """The ffmpeg of `config`, with all that its ladders need."""
    program = ffmpeg_program.find(config.ffmpeg)
    ladders = [channel.ladder for channel in config.channels.values()]
    encoders.check(program, ladders, try_out=try_out)
    return program


def _welcome(config: LoadedConfig) -> None:
    """Say where to look."""
    origin = config.origin
    lines = [
        f"Status page and players   http://{_reachable(origin.control_host)}:{origin.control_port}/"
    ]
    for name, channel in config.channels.items():
        base = f"http://{_reachable(origin.host)}:{origin.port}/live/{name}"
        lines += [
            f"{name}: HLS     {base}/index.m3u8",
            f"{name}: DASH    {base}/index.mpd",
            f"{name}: Smooth  {base}/index.ism/Manifest",
        ]
        if channel.access.token_keys:
            lines.append(f"{name}: with a token of  ringside token -c {config.path} {name}")
    print("\n".join(lines), flush=True)  # noqa: T201 - a command speaks to a person


def _reachable(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _check(arguments: argparse.Namespace) -> None:
    config = load(arguments.config)
    _find_ffmpeg(config)
    count = len(config.channels)
    print(f"{arguments.config}: {count} channel{'s' * (count > 1)}, all right")  # noqa: T201


def _packager(arguments: argparse.Namespace) -> None:
    config = load(arguments.config)
    program = _find_ffmpeg(config, try_out=False)  # one that did not work for once is tried again
    check_writable(config.data)
    count_together(config.data)
    from packager.runtime import service  # noqa: PLC0415 - after the line above

    with held(config.data):
        asyncio.run(until_signal(service.serve(config, program, SystemClock())))


def _origin(arguments: argparse.Namespace) -> None:
    from packager.runtime import supervisor  # noqa: PLC0415 - as above

    # Ladders and sources may not be there: they are the packager's.
    path: Path = arguments.config
    config = parse_config(read(path, str(path)), str(path), os.environ, feeds=False)
    data = Path(os.path.abspath(path.parent / config.data))  # noqa: PTH100 - links stay
    make_folders(data, config.channels)
    with listening(config.origin) as listeners:
        asyncio.run(supervisor.supervise(path, data, listeners, packager=False))


def _replay(arguments: argparse.Namespace) -> None:
    from packager.runtime import replay  # noqa: PLC0415 - as above

    try:
        start = parse_iso8601(arguments.start)
    except ValueError as error:
        raise SetupError(f"--start {arguments.start}: {error}") from error
    if not 0 <= start < _FAR:
        raise SetupError(f"--start {arguments.start}: not between the years 1970 and 2100")
    job = replay.Job(
        files=tuple(arguments.files),
        channel=arguments.channel,
        start=start,
        out=arguments.out,
        ladder=arguments.ladder,
        program=ffmpeg_program.find(arguments.ffmpeg),
    )
    asyncio.run(replay.run(job))


def _ladder(arguments: argparse.Namespace) -> None:
    from rich.console import Console  # noqa: PLC0415 - as above

    from packager.runtime import trial  # noqa: PLC0415 - as above

    job = trial.Job(
        ladder=arguments.ladder,
        source=arguments.source,
        seconds=arguments.seconds,
        program=ffmpeg_program.find(arguments.ffmpeg),
    )
    leave_on_signals()
    try:
        done = asyncio.run(trial.run(job))
    except RingsideError as error:
        sys.exit(_say(error, _CANNOT))
    if arguments.json:
        print(msgspec.json.encode(done).decode())  # noqa: T201 - a command speaks to a person
    else:
        trial.tell(done, Console())
    sys.exit(0 if done.holds else _FAILED)
