"""`ringside token`: a playback token for a channel that requires one."""

from argparse import ArgumentParser, Namespace

from packager.access.playback_token import sign
from packager.cli.command import Command, add_config, channel_in, duration_of, reachable, show
from packager.config.quantities import quoted
from packager.errors import SetupError
from packager.host.config_file import load
from packager.timing.clock import SystemClock
from packager.timing.ticks import MICROS


def _add_arguments(parser: ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("channel", metavar="CHANNEL", help="name of the channel")
    parser.add_argument(
        "--for",
        dest="duration",
        default="4h",
        metavar="DURATION",
        help="validity from now, for example 90m; default: 4h",
    )
    parser.add_argument(
        "--prefix",
        default="",
        metavar="PATH",
        help="path after the channel to limit the token to, for example /event/fight",
    )


def _run(arguments: Namespace) -> None:
    config = load(arguments.config)
    name = channel_in(config, arguments.config, arguments.channel)
    keys = config.channels[name].access.token_keys
    if not keys:
        raise SetupError(f"channels.{name}.access.token_keys: none in {arguments.config}")
    validity = duration_of("--for", arguments.duration)
    if arguments.prefix and not arguments.prefix.startswith("/"):
        raise SetupError(f"--prefix {quoted(arguments.prefix)}: does not start with /")
    expires = (SystemClock().now() + validity * MICROS) // MICROS
    prefix = f"/live/{name}{arguments.prefix}"
    try:
        token = sign(keys[0], prefix, expires)
    except ValueError as error:
        raise SetupError(str(error)) from error
    base = f"http://{reachable(config.origin.host)}:{config.origin.port}"
    show(f"{token}\n{base}/t/{token}{prefix}/index.m3u8")


COMMANDS = {
    "token": Command(
        _add_arguments,
        _run,
        (
            "ringside token -c ringside.yaml tv",
            "ringside token -c ringside.yaml tv --for 90m --prefix /event/fight",
        ),
    )
}
