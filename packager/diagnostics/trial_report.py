"""The result of `ringside ladder` for a terminal: a table, figures and the verdict."""

from rich.console import Console
from rich.table import Table

from packager.diagnostics.ladder_trial import TrialResult
from packager.diagnostics.trial_tracks import TrackResult
from packager.track import TrackKind

_COLUMNS = ("rendition", "segments", "nominal", "average", "maximum", "peak")


def show(trial: TrialResult, console: Console) -> None:
    """Print the result."""
    console.print(_table(trial))
    console.print(_figures(trial), highlight=False)
    colour = "green" if trial.holds else "red"
    console.print(trial.verdict, style=f"bold {colour}", highlight=False)


def _table(trial: TrialResult) -> Table:
    table = Table(title=f"{trial.ladder}, {trial.source} (bit/s)", title_justify="left")
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name == "rendition" else "right", no_wrap=True)
    has_faults = any(map(_faults, trial.renditions))
    if has_faults:
        table.add_column("")
    for track in trial.renditions:
        table.add_row(
            track.id,
            str(track.segments),
            _rate(track.nominal),
            _rate(track.average),
            _rate(track.maxrate),
            _rate(track.peak),
            *([_faults(track)] if has_faults else []),
        )
    return table


def _figures(trial: TrialResult) -> str:
    speed = "-" if trial.speed is None else f"{trial.speed:.2f}"
    return (
        f"pace {trial.pace:.2f} x real time over {trial.seconds:.0f} s (ffmpeg: {speed})\n"
        f"CPU seconds per second: ffmpeg {trial.ffmpeg.cpu:.2f}, packager {trial.packager.cpu:.2f}"
        f", others {trial.others * trial.cores:.2f} (of {trial.cores})\n"
        f"peak memory: ffmpeg {trial.ffmpeg.memory >> 20} MiB,"
        f" packager {trial.packager.memory >> 20} MiB\n"
        f"frames {trial.frames}, dropped {trial.dropped}, duplicated {trial.duplicated};"
        f" renditions {'are' if trial.aligned else 'are NOT'} cut at the same instants"
    )


def _rate(rate: int) -> str:
    return f"{rate / 1000:,.0f} k" if rate else "-"


def _faults(track: TrackResult) -> str:
    off_grid = track.off_grid if track.kind is TrackKind.VIDEO else 0
    counts = (
        (track.over, "over the buffer"),
        (track.missing, "missing"),
        (off_grid, "off the grid"),
    )
    return ", ".join(f"{count} {text}" for count, text in counts if count)
