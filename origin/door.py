"""Who is let in, of those whom a channel does not let in as they are.

What a token allows is remembered: to verify one takes longer than all the rest of an answer.
"""

from origin.access import NO_TOKEN, NOT_VALID, Denied, Gate, Grant
from origin.request import Request
from origin.shelf import Recent
from origin.wire import Lines
from packager.ticks import MICROS, UtcMicros

FOR_EVER = UtcMicros(1 << 62)
_GRANTS = 8192


class Door:
    """The gate of one channel."""

    def __init__(self, gate: Gate) -> None:
        """Let in whom `gate` lets in."""
        self.gate = gate
        self._grants: Recent[str, Grant] = Recent(_GRANTS)

    @property
    def is_by_token_alone(self) -> bool:
        """Whether nothing but the token in a request's target matters."""
        return not self.gate.cdn_secrets

    def cdn(self, lines: Lines) -> str:
        """The name of the CDN that a request comes through; empty if it is not known."""
        return self.gate.cdn_of(lines.secret) or "" if self.gate.cdn_secrets else ""

    def check(
        self, token: str | None, request: Request, path: str, lines: Lines, now: UtcMicros
    ) -> Denied | UtcMicros:
        """Why a request is not let in, or until when another like it will be."""
        if (denied := self.gate.check_cdn(lines.secret)) is not None:
            return denied
        if not self.gate.token_keys:
            return FOR_EVER
        if token is None:
            return NO_TOKEN
        if (grant := self._grants.find(token)) is None:
            if (grant := self.gate.verify(token)) is None:
                return NOT_VALID
            self._grants.put(token, grant)
        return grant.check(request, path, now) or UtcMicros(grant.expires * MICROS)
