"""Keys, tokens and passwords of a configuration: no error, log or repr shows them.

A secret has 16 to 256 printable ASCII characters without spaces, and does not begin with `$`.
`$NAME` stands for the value of an environment variable, so a file can be free of secrets.
"""

import hmac
import re
from collections.abc import Mapping

_SECRET = re.compile(r"(?!\$)[!-~]{16,256}")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
"""Capitals only: another text after the dollar sign may be a password."""
_SHOWN = "(secret)"
_EXPECTED = "16 to 256 printable ASCII characters without spaces, the first of them no $"


class Secret:
    """A text that no repr, no log and no encoder can show.

    It is not a dataclass, since encoders know how to write those.
    """

    __slots__ = ("value",)

    def __init__(self, value: bytes) -> None:
        self.value = value
        """ASCII."""

    def __repr__(self) -> str:
        return _SHOWN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.value, other.value)

    def __hash__(self) -> int:
        return hash(self.value)

    def matches(self, text: str) -> bool:
        """Whether `text` is the secret, compared in constant time."""
        return hmac.compare_digest(self.value, text.encode("utf-8", "surrogateescape"))


def read_secret(text: str, environment: Mapping[str, str]) -> Secret:
    """The secret `text`, or the one in the variable of `environment` that it names.

    Raises:
        ValueError: not a secret; the message does not quote it.
    """
    if not text.startswith("$"):
        return _checked(text, "a secret is")
    name = text.removeprefix("$")
    if _VARIABLE.fullmatch(name) is None:
        raise ValueError("a $ has to be followed by a variable's name: A-Z, 0-9 and _")
    if name not in environment:
        raise ValueError(f"the environment variable {name} is not set")
    return _checked(environment[name], f"the environment variable {name} holds no secret:")


def _checked(text: str, subject: str) -> Secret:
    if _SECRET.fullmatch(text) is None:
        raise ValueError(f"{subject} {_EXPECTED}")
    return Secret(text.encode("ascii"))
