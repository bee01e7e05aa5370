"""Finds and reads ladders: the shipped ones by name, others by path."""

from pathlib import Path

from packager.config.decoding.report import FileReport
from packager.config.ladder import Ladder
from packager.config.parse import ParsedFile, read_ladder
from packager.config.quantities import quoted
from packager.errors import ConfigError, Problem
from packager.host.shipped import shipped
from packager.host.text_file import TextFileError, read_text


def shipped_ladders() -> list[str]:
    """The names of the shipped ladders."""
    return list(shipped("ladders"))


def load_ladder(name: str, folder: Path, option: str) -> Ladder:
    """The ladder that `name` names on the command line; relative paths start from `folder`.

    `option`: the part of the command line, for errors.

    Raises:
        ConfigError: there is no such ladder, or it has problems.
    """
    report = FileReport(option)
    parsed = LadderFiles(folder).find(name, "", report)
    if parsed is None:
        raise ConfigError(*report.problems)
    return parsed.result()


class LadderFiles:
    """The ladders that one configuration names; each file is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parsed: dict[str, ParsedFile[Ladder]] = {}

    @property
    def problems(self) -> list[Problem]:
        """Of all ladder files that were read."""
        return [problem for one in self._parsed.values() for problem in one.report.problems]

    def find(self, name: str, path: str, report: FileReport) -> ParsedFile[Ladder] | None:
        """The ladder called `name`; None if it has no file: a problem at `path` of `report`."""
        if name not in self._parsed:
            parsed = self._read(name, path, report)
            if parsed is None:
                return None
            self._parsed[name] = parsed
        return self._parsed[name]

    def _read(self, name: str, path: str, report: FileReport) -> ParsedFile[Ladder] | None:
        known = shipped("ladders")
        if name in known:
            return read_ladder(known[name].read_text(encoding="utf-8"), f"{name}.yaml", name)
        if not name.endswith(".yaml"):
            remedy = f"use {', '.join(known)}, or a path ending in .yaml"
            report.broken(path, f"no ladder {quoted(name)}", remedy)
            return None
        file = absolute(self._folder, name, path, report)
        if file is None:
            return None
        try:
            return read_ladder(read_text(file), str(file), file.stem)
        except TextFileError as error:
            report.broken(path, f"{file}: {error.reason}", error.remedy)
            return None


def absolute(folder: Path, name: str, path: str, report: FileReport) -> Path | None:
    """`name` as seen from `folder`, with links resolved; None, and a problem, if that fails."""
    try:
        return (folder / name).resolve()
    except (OSError, RuntimeError, ValueError):
        # Python 3.11 raises RuntimeError for links in a circle.
        report.broken(path, f"not a path: {quoted(name)}", "use a path that leads to a file")
        return None
