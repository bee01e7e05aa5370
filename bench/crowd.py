"""A model of a flash crowd: at 22:00 a million viewers join within twenty seconds.

    python bench/crowd.py [--viewers 1000000] [--core-requests 100000] [--core-gbits 25]
    python bench/crowd.py --real [--viewers 250]

Prints how many requests reach the origin through edges and shields, for several cache policies, and
how many origins serve them. `--real` compares the model with a measurement: packager, origin,
nginx as edges and shield, and viewers simulated by Locust.
"""

import argparse
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

from flash_crowd.model import POLICIES, Audience, Capacity, Fleet, Ladder, ladder_of
from flash_crowd.simulation import Setting, simulate
from flash_crowd.tables import by_kind, by_policy, number

from packager.config.ladder import EncodeLadder
from packager.config.parse import parse_ladder

_Numbers = TypeVar("_Numbers", Audience, Fleet)
_SMALL = Audience(viewers=250)
"""Viewers that two cores can simulate beside the servers."""
_LADDERS = Path(__file__).parent.parent / "profiles/ladders"


def read_ladder(name: str) -> Ladder:
    """A shipped ladder."""
    path = _LADDERS / f"{name}.yaml"
    ladder = parse_ladder(path.read_text(), str(path), name)
    if not isinstance(ladder, EncodeLadder):
        raise SystemExit(f"{name} says no bit rates")
    rates = {rendition.id: rendition.bitrate for rendition in ladder.video}
    return ladder_of(rates, ladder.audio.bitrate, ladder.segment)


def options() -> argparse.ArgumentParser:
    """Parse the command line: each number of the model is an option."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", action="store_true", help="measure a small crowd")
    parser.add_argument("--ladder", default="")
    parser.add_argument("--core-requests", type=float, default=Capacity.requests)
    parser.add_argument("--core-gbits", type=float, default=Capacity.gbits)
    parser.add_argument("--cores", type=int, default=Capacity.cores, help="of one origin")
    parser.add_argument("--processes", type=int, default=0, help="0: one a core")
    for what in (Audience, Fleet):
        for field in fields(what):
            if isinstance(field.default, int | float):
                name = f"--{field.name.replace('_', '-')}"
                parser.add_argument(name, type=type(field.default), default=None)
    return parser


def changed(what: _Numbers, arguments: argparse.Namespace) -> _Numbers:
    """The model with the options of the command line."""
    names = (field.name for field in fields(what))
    values = {name: getattr(arguments, name, None) for name in names}
    return replace(what, **{name: value for name, value in values.items() if value is not None})


def main() -> None:
    """Print the tables."""
    arguments = options().parse_args()
    if arguments.real:
        # Only this branch needs Locust.
        from flash_crowd.real import report  # noqa: PLC0415

        name = arguments.ladder or "demo"
        print(*report(changed(_SMALL, arguments), read_ladder(name), name), sep="\n")
        return
    setting = Setting(
        changed(Audience(), arguments),
        changed(Fleet(), arguments),
        read_ladder(arguments.ladder or "sports-1080p50"),
    )
    capacity = Capacity(arguments.core_requests, arguments.core_gbits, arguments.cores)
    began = time.monotonic()
    outcomes = simulate(setting, POLICIES, arguments.processes)
    asked = outcomes[0].edge
    print(
        f"{number(setting.behaviour.viewers)} viewers in {setting.behaviour.ramp:g} s, "
        f"{setting.fleet.edges} edges of {setting.fleet.cdns} CDNs, "
        f"{setting.fleet.cdns * setting.fleet.shields} shields; "
        f"in {setting.behaviour.horizon:g} s they "
        f"ask for {number(asked.total())} answers, at most {number(asked.per_second().max())}/s "
        f"and {asked.size.max() * 8 / 1e12:.3g} Tbit/s; reckoned in "
        f"{time.monotonic() - began:.0f} s\n"
    )
    print(*by_policy(outcomes, capacity), sep="\n")
    print(f"\n{outcomes[0].policy.name}, by kind:\n")
    print(*by_kind(outcomes[0]), sep="\n")


if __name__ == "__main__":
    main()
