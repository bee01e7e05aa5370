"""Shows all channels in a terminal, from the status and the metrics of the control port."""

import time

import msgspec
from rich.console import Console
from rich.live import Live

from packager.diagnostics.control_status import (
    Snapshot,
    Status,
    Traffic,
    rates,
    read_status,
    read_traffic,
)
from packager.diagnostics.terminal_view import view
from packager.errors import SetupError
from packager.runtime.service.control_client import ControlPort, fetch
from packager.timing.clock import monotonic

_INTERVAL = 1.0
"""Seconds between two snapshots."""


class ControlPortWatch:
    """Reads the control port repeatedly, and computes rates between two readings."""

    def __init__(self, port: ControlPort) -> None:
        self._port = port
        self._traffic: Traffic | None = None
        self._last = Snapshot(Status(), {})

    def read(self) -> Snapshot:
        """The current state of all channels.

        Raises:
            SetupError: the control port does not respond, or is not a Ringside.
        """
        try:
            status = read_status(fetch(self._port, "/api/status"))
        except msgspec.DecodeError as error:
            raise SetupError(f"{self._port.base}: the server there is not Ringside") from error
        traffic = read_traffic(fetch(self._port, "/metrics").decode(errors="replace"), monotonic())
        self._last = Snapshot(status, rates(self._traffic, traffic))
        self._traffic = traffic
        return self._last

    def read_or_repeat(self) -> Snapshot:
        """The current state; if it cannot be read, the last state with the reason."""
        try:
            return self.read()
        except SetupError as error:
            return Snapshot(self._last.status, self._last.rates, f"{error}; trying again")


def show_once(port: ControlPort, console: Console) -> None:
    """Print one view, after a second in which viewers' requests are counted.

    Raises:
        SetupError: the control port does not respond.
    """
    watch = ControlPortWatch(port)
    watch.read()
    time.sleep(_INTERVAL)
    console.print(view(watch.read(), console.width))


def show(port: ControlPort, console: Console) -> None:
    """Show the view and refresh it each second, until interrupted.

    Raises:
        SetupError: standard output is not a terminal.
    """
    if not console.is_terminal:
        raise SetupError("standard output is not a terminal: use --once")
    watch = ControlPortWatch(port)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            due = monotonic() + _INTERVAL
            snapshot = watch.read_or_repeat()
            live.update(view(snapshot, console.width, console.height), refresh=True)
            time.sleep(max(0.0, due - monotonic()))
