"""`ringside top`: all channels in a terminal, live."""

import time

import msgspec
from rich.console import Console
from rich.live import Live

from packager.clock import monotonic
from packager.errors import SetupError
from packager.runtime.orders import ControlPort, said
from packager.top import Look, Status, Traffic, rates, read_status, read_traffic, view

_EVERY = 1.0
"""Seconds between two looks."""


class Watch:
    """Looks at the control port again and again."""

    def __init__(self, port: ControlPort) -> None:
        """Nothing has been seen of `port` yet."""
        self._port = port
        self._traffic: Traffic | None = None
        self._seen = Look(Status(), {})

    def look(self) -> Look:
        """How everything is.

        Raises:
            SetupError: nobody says.
        """
        try:
            status = read_status(said(self._port, "/api/status"))
        except msgspec.DecodeError as error:
            reason = f"{self._port.base}: what answers there is no Ringside"
            raise SetupError(reason) from error
        traffic = read_traffic(said(self._port, "/metrics").decode(errors="replace"), monotonic())
        look = Look(status, rates(self._traffic, traffic))
        self._traffic, self._seen = traffic, look
        return look

    def look_again(self) -> Look:
        """How everything is, or was when somebody last said."""
        try:
            return self.look()
        except SetupError as error:
            return Look(self._seen.status, self._seen.rates, f"{error}; trying again")


def show_once(port: ControlPort, console: Console) -> None:
    """Print one view; it takes a moment, in which viewers' requests are counted.

    Raises:
        SetupError: nobody answers.
    """
    watch = Watch(port)
    watch.look()
    time.sleep(_EVERY)
    console.print(view(watch.look(), console.width))


def show(port: ControlPort, console: Console) -> None:
    """Show the view, anew each second, until interrupted.

    Raises:
        SetupError: there is no terminal to show it in.
    """
    if not console.is_terminal:
        raise SetupError("standard output is no terminal: take --once")
    watch = Watch(port)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            due = monotonic() + _EVERY
            look = watch.look_again()
            live.update(view(look, console.width, console.height), refresh=True)
            time.sleep(max(0.0, due - monotonic()))
