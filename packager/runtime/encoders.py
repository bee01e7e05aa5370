"""Whether this machine and its ffmpeg have the encoders that ladders ask for."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from packager.errors import ConfigError
from packager.ffmpeg.command import trial_arguments
from packager.ffmpeg.encoders import NEEDS, Needs
from packager.profile import EncodeLadder, Ladder, VideoRung
from packager.runtime import ffmpeg_program

_DEV = Path("/dev")


def check(
    program: str, ladders: Iterable[Ladder], *, try_out: bool = True, dev: Path = _DEV
) -> None:
    """See that every rung can be encoded by the ffmpeg `program`.

    Args:
        program: ffmpeg.
        ladders: those that are to run.
        try_out: have every device encode a few pictures; this takes a moment.
        dev: where devices are.

    Raises:
        ConfigError: a rung cannot be.
        SetupError: the program does not run.
    """
    rungs = list(_rungs(ladders))
    has = ffmpeg_program.encoders(program) if rungs else frozenset[str]()
    for ladder, place, rung in rungs:
        needs = NEEDS[ladder.encoder_of(rung)]
        reason = _lack(needs, has, dev)
        if not reason and needs.devices and try_out:
            reason = _failure(program, rung, ladder)
        if reason:
            raise ConfigError(ladder.file, place, f"{ladder.encoder_of(rung)}: {reason}")


def _failure(program: str, rung: VideoRung, ladder: EncodeLadder) -> str:
    said = ffmpeg_program.complaint(program, trial_arguments(rung, ladder))
    return f"it does not work here, is its driver installed? ffmpeg: {said}" if said else ""


def _rungs(ladders: Iterable[Ladder]) -> Iterator[tuple[EncodeLadder, str, VideoRung]]:
    """Each rung of each ladder, with the place that names its encoder."""
    for ladder in dict.fromkeys(ladders):
        if isinstance(ladder, EncodeLadder):
            for index, rung in enumerate(ladder.video):
                yield ladder, f"video[{index}].encoder" if rung.encoder else "encoder", rung


def _lack(needs: Needs, has: frozenset[str], dev: Path) -> str:
    """What is missing, in words; empty where nothing is."""
    if needs.devices:
        found = sorted(dev.glob(needs.devices))
        if not found:
            return f"this machine has no {needs.maker} encoder (no {dev / needs.usual})"
        if not any(os.access(device, os.R_OK | os.W_OK) for device in found):
            return f"this user may not use {found[0]}: be in the group that it belongs to"
    if needs.codec not in has:
        return f"this ffmpeg has no {needs.codec}: set `ffmpeg:` to one that has"
    return ""
