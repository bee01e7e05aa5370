"""Count what the house forbids and compare with the budgets: table, offences, exit status.

    python -m tests.house
    python -m tests.house --only prose.docs --path docs/access.md
    python -m tests.house --worst 5 --path packager/manifest

The exit status is 1 when a budget is exceeded.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from signal import SIG_DFL, SIGPIPE, signal

from tests.house.report import Result, details, measure, table, worst
from tests.house.table import CHECKS, Check
from tests.house.tree import read_tree
from tests.paths import ROOT


def main(words: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run the checks that the command line names; return the exit status."""
    arguments = _parser().parse_args(words)
    tree = read_tree(root)
    results = [
        measure(check, tree, arguments.path) for check in CHECKS if _is_named(check, arguments.only)
    ]
    if not results:
        _print([f"no check is named {arguments.only!r}"])
        return 2
    if arguments.worst:
        _print(worst(results, arguments.worst))
        return 0
    everything = bool(arguments.all or arguments.only or arguments.path)
    _print([*table(results), *details(results, everything=everything)])
    return _status(results)


def _is_named(check: Check, name: str) -> bool:
    return check.name.startswith(name) or check.name.endswith(f".{name}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.house",
        description="Count offences against the rules of the repository, with a budget for each.",
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="NAME",
        help="run the checks whose name begins with NAME or ends in .NAME",
    )
    parser.add_argument(
        "--path", default="", metavar="PREFIX", help="count only files whose path begins so"
    )
    parser.add_argument(
        "--worst",
        type=int,
        default=0,
        metavar="N",
        help="list the N files with the most offences against prose instead",
    )
    parser.add_argument("--all", action="store_true", help="list every offence of every check")
    return parser


def _status(results: Iterable[Result]) -> int:
    return 1 if any(result.exceeded for result in results) else 0


def _print(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    signal(SIGPIPE, SIG_DFL)  # a reader such as `head` closes the pipe early
    sys.exit(main())
