"""The inspector of each container."""

from packager.feed.flv import FlvInspector
from packager.feed.mpegts import TsInspector
from packager.feed.report import Container, Inspector


def inspector(
    container: Container, program: int | None = None, video: int | None = None
) -> Inspector:
    """An inspector for one connection.

    In a transport stream, `program` is a program's number, and `video` a stream's PID: it selects
    its program too.
    """
    if container is Container.TS:
        return TsInspector(program, video)
    return FlvInspector()
