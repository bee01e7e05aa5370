"""The ladders and devices that are installed with Ringside."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePath


def shipped(folder: str) -> dict[str, Traversable]:
    """The files of a folder of profiles, `ladders` or `devices`, by name in alphabetical order."""
    entries = (files("profiles") / folder).iterdir()
    named = ((PurePath(e.name).stem, e) for e in entries if e.name.endswith(".yaml"))
    return dict(sorted(named, key=lambda pair: pair[0]))
