"""The checks of the house with their budgets: the one place to change a budget.

A check finds offences. Its count is their number, or their number for each 1,000 words or 100
sentences of the scope. A count above the budget fails `make check`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tests.house import folders, imports, links, sizes, telemetry, testing
from tests.house.scopes import SCOPES
from tests.house.tree import Offence, Tree
from tests.house.wording import (
    PATTERNS,
    find_long_sentences,
    find_words,
    sentences_by_path,
    words_by_path,
)


@dataclass(frozen=True)
class Base:
    """The size of a scope that offences are counted against: `unit` is for each `scale` of it."""

    unit: str
    scale: int
    by_path: Callable[[Tree], Mapping[str, int]]


@dataclass(frozen=True)
class Check:
    """A check: offences that `find` returns, and the highest count of them that passes."""

    name: str
    budget: float
    find: Callable[[Tree], Sequence[Offence]]
    base: Base | None = None


PROSE_BUDGETS: dict[str, float] = {
    "who": 0.2,
    "nobody": 0.2,
    "what is": 1,
    "said": 1,
    "is none": 0,
    "banned": 0,
    "come": 1,
}
"""Matches for each 1,000 words; the same in every scope."""
SENTENCE_BUDGETS: dict[str, float] = {
    "product": 1,
    "tests": 1,
    "bench": 1,
    "docs": 3,
    "messages": 0.5,
}
"""Sentences over 25 words, in percent."""


def _prose() -> list[Check]:
    checks: list[Check] = []
    for scope in SCOPES:
        words = Base("per 1000 words", 1000, partial(words_by_path, scope=scope))
        sentences = Base("% of sentences", 100, partial(sentences_by_path, scope=scope))
        checks += [
            Check(
                f"prose.{scope}.{name.replace(' ', '-')}",
                PROSE_BUDGETS[name],
                partial(find_words, scope=scope, name=name),
                words,
            )
            for name in PATTERNS
        ]
        checks.append(
            Check(
                f"prose.{scope}.long-sentences",
                SENTENCE_BUDGETS[scope],
                partial(find_long_sentences, scope=scope),
                sentences,
            )
        )
    return checks


def _layout() -> list[Check]:
    return [
        Check(
            "tree.loose-modules.packager",
            3,
            partial(folders.find_loose_modules, package="packager"),
        ),
        Check(
            "tree.loose-modules.origin", 0, partial(folders.find_loose_modules, package="origin")
        ),
        Check("tree.large-folders", 0, folders.find_large_folders),
        Check("tree.misplaced-tests", 0, folders.find_misplaced_tests),
        Check("tree.unexplained-folders", 0, folders.find_unexplained_folders),
    ]


def _code() -> list[Check]:
    return [
        Check("size.files-of-400", 0, partial(sizes.find_long_files, most=399)),
        Check("size.files-over-300", 8, partial(sizes.find_long_files, most=300)),
        Check("size.functions-over-60", 0, partial(sizes.find_long_functions, most=60)),
        Check("size.functions-over-40", 8, partial(sizes.find_long_functions, most=40)),
        Check("size.wide-classes", 2, partial(sizes.find_wide_classes, most=15)),
        Check("size.ruff-limits", 0, imports.find_loose_limits),
        Check("size.ruff-limits-lifted", 0, imports.find_lifted_limits),
        Check("names.repeated-classes", 0, sizes.find_repeated_classes),
        Check("names.log-events", 0, telemetry.find_odd_events),
        Check("names.metrics", 0, telemetry.find_odd_metrics),
        Check("imports.modules-named", 0, imports.find_named_modules),
        Check("imports.lazy", 6, imports.find_lazy_imports),
        Check("imports.environment-writes", 0, imports.find_environment_writes),
    ]


def _tests_and_documents() -> list[Check]:
    return [
        Check("tests.private-attributes", 20, testing.find_private_reads),
        Check("tests.test-imports", 0, testing.find_test_imports),
        Check("tests.skips", 0, testing.find_skips),
        Check("tests.sleeps", 20, partial(testing.find_sleeps, polling=False)),
        Check("tests.sleeps-in-while", 20, partial(testing.find_sleeps, polling=True)),
        Check("links.documents", 0, links.find_dead_links),
        Check("links.paths", 0, links.find_dead_paths),
        Check("links.paths-in-code", 0, links.find_dead_paths_in_code),
    ]


CHECKS: list[Check] = [*_layout(), *_code(), *_tests_and_documents(), *_prose()]
