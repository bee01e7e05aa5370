"""The players' install: done once, never seen half, the old one kept until the new one is whole."""

import subprocess
from pathlib import Path

import pytest

from origin.runtime.control import players
from packager.errors import SetupError

SIBLINGS = ("players.new", "players.old")


class FakeNpm:
    """Writes one file into `node_modules` as npm would, then ends with the given result."""

    def __init__(self, content: str = "player", stdout: str = "", stderr: str = "") -> None:
        self.content = content
        self.stdout = stdout
        self.stderr = stderr
        self.status = 0
        self.stop: BaseException | None = None
        self.runs = 0

    def __call__(self, folder: Path) -> "subprocess.CompletedProcess[str]":
        self.runs += 1
        assert (folder / "package.json").is_file()
        assert (folder / "package-lock.json").is_file()
        (folder / "node_modules").mkdir()
        (folder / "node_modules" / "player.js").write_text(self.content)
        if self.stop is not None:
            raise self.stop
        return subprocess.CompletedProcess((), self.status, self.stdout, self.stderr)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "share" / "players"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "package.json").write_text("{}")
    (folder / "package-lock.json").write_text("one")
    monkeypatch.setattr(players, "_PAGE", folder)
    return folder


def content(target: Path) -> str:
    return (target / "node_modules" / "player.js").read_text()


def siblings(target: Path) -> list[str]:
    return [name for name in SIBLINGS if target.with_name(name).exists()]


@pytest.mark.usefixtures("page")
def test_the_same_lock_file_is_installed_once(target: Path) -> None:
    npm = FakeNpm()
    assert players.install(target, npm)
    assert not players.install(target, npm)
    assert npm.runs == 1
    assert content(target) == "player"
    assert siblings(target) == []


def test_another_lock_file_replaces_the_install(target: Path, page: Path) -> None:
    players.install(target, FakeNpm("first"))
    (page / "package-lock.json").write_text("two")
    assert players.install(target, FakeNpm("second"))
    assert content(target) == "second"
    assert (target / "package-lock.json").read_text() == "two"
    assert siblings(target) == []


@pytest.mark.usefixtures("page")
def test_an_interrupted_install_is_not_seen_and_is_redone(target: Path) -> None:
    npm = FakeNpm("half")
    npm.stop = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        players.install(target, npm)
    assert not target.exists()
    assert siblings(target) == ["players.new"]

    assert players.install(target, FakeNpm("whole"))
    assert content(target) == "whole"
    assert siblings(target) == []


@pytest.mark.usefixtures("page")
def test_a_folder_without_a_stamp_is_redone(target: Path) -> None:
    (target / "node_modules").mkdir(parents=True)
    assert players.install(target, FakeNpm("whole"))
    assert content(target) == "whole"


def test_a_failure_leaves_the_old_install(target: Path, page: Path) -> None:
    players.install(target, FakeNpm("first"))
    (page / "package-lock.json").write_text("two")
    npm = FakeNpm("second")
    npm.status = 1
    with pytest.raises(SetupError):
        players.install(target, npm)
    assert content(target) == "first"
    assert siblings(target) == []

    (page / "package-lock.json").write_text("one")
    assert not players.install(target, npm)


def test_a_stop_between_the_renames_gives_the_old_install_back(target: Path, page: Path) -> None:
    players.install(target, FakeNpm("first"))
    target.rename(target.with_name("players.old"))
    (page / "package-lock.json").write_text("two")
    npm = FakeNpm("second")
    npm.status = 1
    with pytest.raises(SetupError):
        players.install(target, npm)
    assert content(target) == "first"


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    ("stdout", "stderr", "reason"),
    [
        ('{"error": {"code": "E", "summary": "no such\\nmore"}}', "npm error advice", "no such"),
        ("", "npm error first\nnpm error last\n", "npm error last"),
        ('{"added": 3}', "npm error last", "npm error last"),
        ("", "", "exit status 1"),
    ],
)
def test_a_failure_reads_as_one_line(target: Path, stdout: str, stderr: str, reason: str) -> None:
    npm = FakeNpm(stdout=stdout, stderr=stderr)
    npm.status = 1
    with pytest.raises(SetupError) as failure:
        players.install(target, npm)
    assert str(failure.value) == f"players: npm ci failed: {reason}"


@pytest.mark.usefixtures("page")
def test_a_place_that_cannot_be_written_is_a_setup_error(tmp_path: Path) -> None:
    (tmp_path / "share").write_text("a file, not a folder")
    with pytest.raises(SetupError, match="players: "):
        players.install(tmp_path / "share" / "players", FakeNpm())


def test_an_unknown_name_has_no_path() -> None:
    assert players.path_of("../package.json") is None
