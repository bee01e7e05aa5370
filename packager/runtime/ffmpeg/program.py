"""Finds ffmpeg, and asks it for its version, its encoders and the streams of an input."""

import asyncio
import shutil
import subprocess
from collections.abc import Sequence

import imageio_ffmpeg

from packager.errors import FeedError, SetupError
from packager.feed.report import Container
from packager.ffmpeg.encoders import read_encoders
from packager.ffmpeg.probe import OLDEST, SourceInfo, read_banner, read_version
from packager.ffmpeg.progress import read_message
from packager.runtime.ffmpeg.process import die_with_parent

_PATIENCE = 20.0
"""Seconds for an answer of ffmpeg."""
_MAX_BANNER = 1 << 20
_REMEDY = "install one, or leave out `ffmpeg` for the one of this installation"


def find(configured: str | None) -> str:
    """The path of the configured program, or of the one that Ringside's wheel installs.

    Raises:
        SetupError: it is missing, does not run, or is too old.
    """
    program = configured or str(imageio_ffmpeg.get_ffmpeg_exe())
    found = shutil.which(program)
    if found is None:
        raise SetupError(f"ffmpeg: {program} is missing or cannot be run: {_REMEDY}")
    banner = _output(found, "-version")
    if not banner.startswith("ffmpeg version "):
        raise SetupError(f"ffmpeg: {program} is not ffmpeg: {_REMEDY}")
    version = read_version(banner)
    if version is not None and version < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        has = ".".join(map(str, version))
        reason = f"{program} is version {has}, at least {wanted} is needed"
        raise SetupError(f"ffmpeg: {reason}: {_REMEDY}")
    return found


def encoders(program: str) -> frozenset[str]:
    """The video encoders that the ffmpeg `program` has.

    Raises:
        SetupError: it does not run.
    """
    return read_encoders(_output(program, "-hide_banner", "-encoders"))


def can_catch_up(program: str) -> bool:
    """Whether the ffmpeg `program` has `-readrate_catchup`.

    Raises:
        SetupError: it does not run.
    """
    return "-readrate_catchup" in _output(program, "-hide_banner", "-h", "long")


def complaint(program: str, arguments: Sequence[str]) -> str:
    """The first error in ffmpeg's log when it runs with `arguments`; empty if it succeeds.

    Raises:
        SetupError: it does not run.
    """
    done = _run(program, *arguments)
    if done.returncode == 0:
        return ""
    lines = done.stderr[:_MAX_BANNER].decode(errors="replace").splitlines()
    messages = (message for message in map(read_message, lines) if message is not None)
    return next((message.text for message in messages), f"exit code {done.returncode}")


def _output(program: str, *arguments: str) -> str:
    return _run(program, *arguments).stdout.decode(errors="replace")


def _run(program: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(  # noqa: S603 - the operator's own program
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"ffmpeg: {program} does not run: {error}") from error


async def probe(program: str, name: str, *options: str) -> SourceInfo:
    """The streams of the input that `options` (up to and with `-i INPUT`) name.

    Raises:
        FeedError: no media, no video, or no answer.
    """
    return await _probe(program, name, options, None)


async def probe_bytes(program: str, name: str, container: Container, data: bytes) -> SourceInfo:
    """The streams of a feed that begins with `data`.

    Raises:
        FeedError: no media, no video, or no answer.
    """
    return await _probe(program, name, ("-f", container.value, "-i", "pipe:0"), data)


async def _probe(program: str, name: str, options: Sequence[str], data: bytes | None) -> SourceInfo:
    process = await asyncio.create_subprocess_exec(
        program,
        "-hide_banner",
        *(("-nostdin",) if data is None else ()),
        *options,
        stdin=asyncio.subprocess.DEVNULL if data is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent,
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            _, log = await process.communicate(data)
    except TimeoutError:
        raise FeedError(f"{name}: ffmpeg did not recognise it within {_PATIENCE:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return read_banner(log[-_MAX_BANNER:].decode(errors="replace"), name)
