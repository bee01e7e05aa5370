"""The lock of the runtime, and the list of its licences, go with the project's own files."""

import json
import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.paths import ROOT

LOCK = (ROOT / "requirements.lock").read_text()
PINNED = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[^ ;]+)(?: ; (?P<marker>.*))?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def entries() -> Iterator[tuple[re.Match[str], list[str]]]:
    """Each pinned package of the lock, with the options behind it."""
    text = re.sub(r"(?m)^ *#.*\n", "", LOCK).replace("\\\n", "")
    for line in text.splitlines():
        pinned, *options = re.split(r" +(?=--)", line.strip())
        match = PINNED.fullmatch(pinned.strip())
        assert match is not None, line
        yield match, [option.strip() for option in options]


VERSIONS = {match["name"]: Version(match["version"]) for match, _ in entries()}


def wanted() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(text) for text in project["dependencies"]]


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_the_lock_has_a_version_that_the_project_takes(requirement: Requirement) -> None:
    version = VERSIONS.get(canonicalize_name(requirement.name))
    assert version is not None, "run `make lock`"
    assert version in requirement.specifier, "run `make lock`"


def test_every_package_of_the_lock_has_hashes_and_nothing_else() -> None:
    for match, options in entries():
        assert options, match["name"]
        assert all(HASH.fullmatch(option) for option in options), match["name"]
        if match["marker"]:
            Marker(match["marker"])


def test_the_lock_names_no_place_to_install_from() -> None:
    assert not re.search(r"https?:|file:|--(extra-)?index|--find-links|@ ", LOCK)


def test_the_image_installs_from_the_lock() -> None:
    assert "--require-hashes --requirement requirements.lock" in (ROOT / "Dockerfile").read_text()


def test_the_notice_names_every_package_of_an_image() -> None:
    players = json.loads((ROOT / "origin/page/package-lock.json").read_text())["packages"]
    names = {path.removeprefix("node_modules/") for path in players if path} | set(VERSIONS)
    listed = {line.split()[0] for line in (ROOT / "NOTICE").read_text().splitlines() if line}
    assert names <= listed
