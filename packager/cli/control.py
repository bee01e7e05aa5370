"""`ringside event` and `top`: the commands that use the control port of a running service."""

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from packager.cli.command import Command, add_config, reachable, show
from packager.config.schema.origin import OriginConfig
from packager.host.config_file import load, load_served
from packager.runtime.service.control_client import ControlPort, give, listed
from packager.runtime.service.signals import leave_on_signals
from packager.runtime.tools import top

_ORDERS = {
    "start": "Start an event, now or at a time; repeat it to move, pin or unpin the event",
    "end": "End an event, now or at a time",
    "remove": "Remove an event; the retention may delete its pinned media",
    "list": "List the events of a channel",
}
_AT = {
    "start": "2026-01-01T00:00:00Z or now; default: now, or unchanged for a running event",
    "end": "2026-01-01T00:00:00Z or now; default: now",
}
_EXAMPLES = {
    "start": "ringside event start -c ringside.yaml tv fight --pin",
    "end": "ringside event end -c ringside.yaml tv fight",
    "remove": "ringside event remove -c ringside.yaml tv fight",
    "list": "ringside event list -c ringside.yaml tv",
}


def _add_event_arguments(parser: ArgumentParser) -> None:
    orders = parser.add_subparsers(required=True, metavar="ORDER", dest="order")
    for name, text in _ORDERS.items():
        epilog = f"example: {_EXAMPLES[name]}"
        order = orders.add_parser(name, help=text, description=text, epilog=epilog)
        add_config(order)
        order.add_argument("channel", metavar="CHANNEL", help="name of the channel")
        if name != "list":
            order.add_argument("event", metavar="EVENT", help="name of the event")
        if name in _AT:
            order.add_argument("--at", metavar="TIME", help=_AT[name])
        if name == "start":
            order.add_argument("--end", metavar="TIME", help="end of the event, if known")
            order.add_argument(
                "--pin",
                action=BooleanOptionalAction,
                help="keep the media of the event beyond the retention, or stop keeping it",
            )


def _event(arguments: Namespace) -> None:
    port = _control_port(load(arguments.config).origin)
    if arguments.order == "list":
        show("\n".join(listed(port, arguments.channel)) or "no events")
    else:
        show(give(port, arguments.channel, arguments.event, vars(arguments)))


def _add_top_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration with the control port; default: port 8081 on this machine",
    )
    parser.add_argument("--once", action="store_true", help="print one view and exit")


def _top(arguments: Namespace) -> None:
    origin = OriginConfig()
    if arguments.config is not None:
        # Ladders and files of sources may be missing where only the view runs.
        origin = load_served(arguments.config).origin
    port = _control_port(origin)
    if arguments.once:
        top.show_once(port, Console())
        return
    leave_on_signals()
    with suppress(KeyboardInterrupt):
        top.show(port, Console())


def _control_port(origin: OriginConfig) -> ControlPort:
    base = f"http://{reachable(origin.control_host)}:{origin.control_port}"
    return ControlPort(base, origin.control_token)


COMMANDS = {
    "event": Command(_add_event_arguments, _event, tuple(_EXAMPLES.values())),
    "top": Command(
        _add_top_arguments,
        _top,
        ("ringside top -c ringside.yaml", "ringside top --once"),
    ),
}
