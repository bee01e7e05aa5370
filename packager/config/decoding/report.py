"""Collects the problems of one file, each with its position."""

from packager.config.yaml_reader import Mark, YamlList, YamlMap, YamlNode, join
from packager.errors import Problem

_MOST = 100
"""Problems that are reported for one file."""


class FileReport:
    """The problems of one file.

    A wrong value is replaced by a stand-in, so that the checks of all other values can run. A
    check names the paths that it looks at; its problem is dropped where one of these is wrong.
    """

    def __init__(self, file: str, root: YamlMap | None = None) -> None:
        self.file = file
        self._problems: list[Problem] = []
        self._dropped = 0
        self._wrong: set[str] = set()
        self._root = root

    @property
    def problems(self) -> tuple[Problem, ...]:
        """In the order of their positions."""
        found = sorted(self._problems, key=lambda problem: (problem.line, problem.column))
        if self._dropped:
            reason = f"{self._dropped} more problems are not shown"
            found.append(Problem(self.file, "", reason, "correct the ones above first"))
        return tuple(found)

    def add(self, problem: Problem) -> None:
        """Add a problem that has its position already."""
        if len(self._problems) < _MOST:
            self._problems.append(problem)
        else:
            self._dropped += 1

    def wrong(self, path: str, reason: str, remedy: str, mark: Mark | None = None) -> None:
        """Report the value at `path`, and mark it as wrong for the checks that look at it.

        `mark`: the position where it differs from that of the value.
        """
        self._wrong.add(path)
        self.note(path, reason, remedy, mark)

    def note(self, path: str, reason: str, remedy: str, mark: Mark | None = None) -> None:
        """Report something at `path` that leaves all values as they are, such as an unknown key."""
        line, column = mark or self.position(path)
        self.add(Problem(self.file, path, reason, remedy, line, column))

    def broken(self, path: str, reason: str, remedy: str, *inputs: str) -> None:
        """Report a broken rule at `path`, unless `path` or one of the `inputs` is wrong itself."""
        if not any(self._is_wrong(one) for one in (path, *inputs)):
            self.note(path, reason, remedy)

    def mark_wrong(self, path: str) -> None:
        """Drop the problems of checks that look at `path`."""
        self._wrong.add(path)

    def position(self, path: str) -> Mark:
        """Of the value at `path`, or of the nearest mapping or list around it."""
        if self._root is None:
            return Mark(0, 0)
        return _position(self._root, path)

    def _is_wrong(self, path: str) -> bool:
        return any(
            path == wrong or path.startswith((f"{wrong}.", f"{wrong}[")) for wrong in self._wrong
        )


def _position(node: YamlNode, path: str) -> Mark:
    here = ""
    while here != path:
        step = next((one for one in _children(node, here) if _leads_to(one[0], path)), None)
        if step is None:
            break
        here, node = step
    return node.mark


def _children(node: YamlNode, path: str) -> list[tuple[str, YamlNode]]:
    if isinstance(node, YamlMap):
        return [(join(path, key), entry.value) for key, entry in node.entries.items()]
    if isinstance(node, YamlList):
        return [(f"{path}[{at}]", item) for at, item in enumerate(node.items)]
    return []


def _leads_to(place: str, path: str) -> bool:
    return path == place or path.startswith((f"{place}.", f"{place}["))
