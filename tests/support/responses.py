"""The bytes of a connection, read as responses."""

import re
from collections.abc import Iterator, Sequence


def heads(stream: bytes, bare: Sequence[bool]) -> Iterator[bytes]:
    """The heads of the responses in `stream`; `bare` are those to HEAD.

    Fails where it is no sequence of whole answers.
    """
    for is_bare in bare:
        if not stream:
            return
        head, separator, stream = stream.partition(b"\r\n\r\n")
        assert separator, head
        yield head
        status = int(head.split()[1])
        if not (is_bare or status in (204, 304)):
            length = re.search(rb"\r\nContent-Length: (\d+)", head)
            assert length is not None, head
            assert len(stream) >= int(length[1]), head
            stream = stream[int(length[1]) :]
    assert not stream, stream[:200]
