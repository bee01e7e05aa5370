"""Checks that this machine and its ffmpeg have the encoders of the ladders."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from packager.config.ladder import (
    EncodingLadder,
    Ladder,
    PassthroughLadder,
    VideoRendition,
)
from packager.errors import ConfigError, Problem
from packager.ffmpeg.command import trial_arguments
from packager.ffmpeg.encoders import NEEDS, EncoderNeeds
from packager.runtime.ffmpeg import program as ffmpeg_program

_DEV = Path("/dev")


def check(
    program: str, ladders: Iterable[Ladder], *, try_out: bool = True, dev: Path = _DEV
) -> None:
    """See that the ffmpeg `program` can encode every rendition.

    Args:
        program: ffmpeg.
        ladders: the ladders that are to run.
        try_out: whether each hardware encoder encodes a few frames, which takes a moment.
        dev: the folder of devices.

    Raises:
        ConfigError: renditions cannot be encoded; it has all of them.
        SetupError: the program does not run.
    """
    renditions = list(_renditions(ladders))
    has = ffmpeg_program.encoders(program) if renditions else frozenset[str]()
    problems: dict[tuple[str, str], Problem] = {}
    for ladder, place, rendition in renditions:
        if (ladder.file, place) in problems:
            continue
        encoder = ladder.encoder_of(rendition)
        needs = NEEDS[encoder]
        reason = _lack(needs, has, dev)
        if not reason and needs.devices and try_out:
            reason = _failure(program, rendition, ladder)
        if reason:
            problems[ladder.file, place] = Problem(ladder.file, place, f"{encoder}: {reason}")
    if problems:
        raise ConfigError(*problems.values())


def _failure(program: str, rendition: VideoRendition, ladder: EncodingLadder) -> str:
    error = ffmpeg_program.complaint(program, trial_arguments(rendition, ladder))
    return f"it does not work here, is its driver installed? ffmpeg: {error}" if error else ""


def _renditions(ladders: Iterable[Ladder]) -> Iterator[tuple[EncodingLadder, str, VideoRendition]]:
    """Each rendition of each ladder, with the key of its encoder."""
    for ladder in dict.fromkeys(ladders):
        if isinstance(ladder, PassthroughLadder):
            continue
        for index, rendition in enumerate(ladder.video):
            if isinstance(rendition, VideoRendition):
                key = f"video[{index}].encoder" if rendition.encoder else "encoder"
                yield ladder, key, rendition


def _lack(needs: EncoderNeeds, has: frozenset[str], dev: Path) -> str:
    """The missing part, in words; empty if nothing is missing."""
    if needs.devices:
        found = sorted(dev.glob(needs.devices))
        if not found:
            return f"this machine has no {needs.maker} encoder (no {dev / needs.usual})"
        if not any(os.access(device, os.R_OK | os.W_OK) for device in found):
            return f"this user may not use {found[0]}: join the group of that device"
    if needs.codec not in has:
        return f"this ffmpeg has no {needs.codec}: set `ffmpeg:` to one that has"
    return ""
