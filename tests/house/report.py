"""Counts of the checks as a table, their offences as lines, and the files with the most of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.house.table import Check
from tests.house.tree import Offence, Tree

_SHOWN = 10
"""Offences of one check that are listed unless all are asked for."""


@dataclass(frozen=True)
class Result:
    """The offences of one check below a folder, and their count in the unit of its budget."""

    check: Check
    offences: Sequence[Offence]
    count: float

    @property
    def exceeded(self) -> bool:
        """The count is above the budget."""
        return self.count > self.check.budget


def measure(check: Check, tree: Tree, prefix: str = "") -> Result:
    """Run a check; only files whose path begins with `prefix` are counted."""
    offences = sorted({found for found in check.find(tree) if found.path.startswith(prefix)})
    if check.base is None:
        return Result(check, offences, len(offences))
    sizes = check.base.by_path(tree)
    size = sum(count for path, count in sizes.items() if path.startswith(prefix))
    return Result(check, offences, len(offences) * check.base.scale / size if size else 0)


def table(results: Sequence[Result]) -> Iterator[str]:
    """One line a check: name, count, budget, unit; `!` marks an exceeded budget."""
    width = max((len(result.check.name) for result in results), default=0)
    yield f"  {'check':{width}}  {'count':>8}  {'budget':>7}"
    for result in results:
        mark = "!" if result.exceeded else " "
        unit = result.check.base.unit if result.check.base else ""
        count = f"{result.count:.2f}" if unit else f"{result.count:.0f}"
        line = f"{mark} {result.check.name:{width}}  {count:>8}  {result.check.budget:>7g}  {unit}"
        yield line.rstrip()


def details(results: Sequence[Result], *, everything: bool) -> Iterator[str]:
    """The offences of each check over its budget, or of all checks."""
    for result in results:
        if not result.offences or not (result.exceeded or everything):
            continue
        shown = result.offences if everything else result.offences[:_SHOWN]
        yield f"\n{result.check.name}: {len(result.offences)}"
        yield from (f"  {offence}" for offence in shown)
        if hidden := len(result.offences) - len(shown):
            yield f"  and {hidden} more: --only {result.check.name}"


def worst(results: Sequence[Result], files: int) -> Iterator[str]:
    """The files with the most offences against prose, each with its offences by line."""
    found = [
        (offence, result.check.name)
        for result in results
        if result.check.base
        for offence in result.offences
    ]
    by_path = Counter(offence.path for offence, _ in found)
    for path, count in by_path.most_common(files):
        kinds = Counter(name.rpartition(".")[2] for offence, name in found if offence.path == path)
        summary = ", ".join(f"{kind} {number}" for kind, number in kinds.most_common())
        yield f"\n{path}: {count} ({summary})"
        for offence, name in sorted(found):
            if offence.path == path:
                yield f"  {path}:{offence.line}: {name.rpartition('.')[2]}: {offence.text}"
