"""Prints coverage by package: `python -m tests.coverage_table FILE`, written by `coverage json`."""

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path, PurePath

_DEEPEST = 3
"""Folders of a package's name that make a line of their own: `packager.runtime.ingest`."""
_COLUMNS = (
    ("statements", "covered_lines", "num_statements"),
    ("branches", "covered_branches", "num_branches"),
)


def packages(report: str) -> dict[str, Counter[str]]:
    """Sums of a report, by package."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for file, figures in json.loads(report)["files"].items():
        name = ".".join(PurePath(file).parent.parts[:_DEEPEST])
        for _, covered, count in _COLUMNS:
            found[name].update({key: figures["summary"][key] for key in (covered, count)})
    return dict(found)


def table(found: dict[str, Counter[str]]) -> list[str]:
    """A line for each package, and one for the total."""
    total = sum(found.values(), Counter[str]())
    heads = "".join(f"{head:>16}" for head, _, _ in _COLUMNS)
    return [f"{'package':<32}{heads}", *map(_line, *zip(*sorted(found.items()), strict=True)),
            _line("total", total)]  # fmt: skip


def _line(name: str, figures: Counter[str]) -> str:
    cells = [f"{figures[n]:>7} {_percent(figures[c], figures[n])}" for _, c, n in _COLUMNS]
    return f"{name:<32}" + "".join(f"{cell:>16}" for cell in cells)


def _percent(covered: int, count: int) -> str:
    return f"{100 * covered / count:.1f} %" if count else "-"


if __name__ == "__main__":
    sys.stdout.write("\n".join([*table(packages(Path(sys.argv[1]).read_text())), ""]))
