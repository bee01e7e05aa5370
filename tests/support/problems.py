"""The problems of a configuration that is refused."""

from collections.abc import Callable

import pytest

from packager.errors import ConfigError, Problem


def problems_of(parse: Callable[[], object]) -> tuple[Problem, ...]:
    """The problems that `parse` raises; each has what an operator needs."""
    with pytest.raises(ConfigError) as caught:
        parse()
    assert caught.value.__cause__ is None
    problems = caught.value.problems
    assert str(caught.value).splitlines() == [str(problem) for problem in problems]
    for problem in problems:
        assert str(problem).isprintable()
        assert problem.reason
        assert problem.remedy
    return problems


def lines_of(parse: Callable[[], object]) -> list[str]:
    """The problems that `parse` raises, each as `path: reason`."""
    problems = problems_of(parse)
    return [f"{one.path}: {one.reason}" if one.path else one.reason for one in problems]
