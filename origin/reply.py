"""An answer at hand: all of it but the date and the request's id, ready to be sent."""

from origin import wire
from origin.answer import Answer, Slice
from origin.tally import Tally


class Reply:
    """An answer, and the part of its head that never changes."""

    __slots__ = ("answer", "body", "etag", "head", "piece", "tally", "unchanged")

    def __init__(self, answer: Answer, tally: Tally) -> None:
        """Make `answer` ready, whose sending is counted in `tally`."""
        self.answer = answer
        self.body = answer.body if isinstance(answer.body, bytes) else b""
        self.piece = answer.body if isinstance(answer.body, Slice) else None
        """What follows the head where that lies in a file, which is open."""
        self.etag = answer.etag
        self.head = wire.head(answer)
        self.tally = tally
        self.unchanged: Reply | None = None
        """What is said to who has it already; made when first asked for."""

    @property
    def is_short(self) -> bool:
        """Whether its file has been found not to have all its bytes any more."""
        return self.piece is not None and self.piece.file is not None and self.piece.file.short
