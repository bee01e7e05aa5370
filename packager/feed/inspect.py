"""Which inspector looks at which container."""

from packager.feed.container import Container, Inspector
from packager.feed.flv import FlvInspector
from packager.feed.ts import TsInspector


def inspector(container: Container, program: int | None = None) -> Inspector:
    """A new one, for one connection; `program` is that of a transport stream with several."""
    if container is Container.TS:
        return TsInspector(program)
    return FlvInspector()
