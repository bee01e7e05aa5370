"""Rules of events."""

from packager.config.decoding.report import FileReport
from packager.config.schema.events import EventConfig


def check_event(event: object, path: str, report: FileReport) -> None:
    """Check that an event ends after it starts."""
    if not isinstance(event, EventConfig):
        raise TypeError(event)
    if event.end is not None and event.end <= event.start:
        remedy = "set end to a later time, or remove it while it is unknown"
        report.broken(f"{path}.end", "not after the start", remedy, f"{path}.start")
