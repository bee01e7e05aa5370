"""An answer with its bytes, ready to be sent."""

from origin import wire
from origin.answer import Answer
from origin.tally import Tally


class Reply:
    """An answer whose body is in memory, and the part of its head that never changes."""

    __slots__ = ("answer", "body", "etag", "head", "tally", "unchanged")

    def __init__(self, answer: Answer, tally: Tally) -> None:
        """Make `answer` ready, whose sending is counted in `tally`."""
        if not isinstance(answer.body, bytes):
            raise TypeError
        self.answer = answer
        self.body = answer.body
        self.etag = answer.etag
        self.head = wire.head(answer)
        self.tally = tally
        self.unchanged: Reply | None = None
        """What is said to who has it already; made when first asked for."""
