"""Keys, tokens and passwords of a configuration: read once, shown to nobody.

A secret is 16 to 256 printable ASCII characters without spaces, and begins with no `$`: `$NAME`
stands for what the environment variable NAME holds, so that a file need hold no secret.
"""

import hmac
import re
from collections.abc import Mapping
from typing import cast

from packager.errors import ConfigError

SECRET_KEYS = frozenset({"access", "control_token", "key", "passphrase"})
"""The keys of a configuration whose texts are secrets, wherever they stand and however deep."""

_SECRET = re.compile(r"(?!\$)[!-~]{16,256}")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
"""Capitals alone: what is no such name may be a secret that begins with a dollar sign."""
_SHOWN = "(secret)"
_WANTED = "16 to 256 printable ASCII characters without spaces, the first of them no $"


class Secret:
    """A text that no repr, no log and no encoder has a way to show.

    So it is no dataclass: encoders know those.
    """

    __slots__ = ("octets",)

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        """ASCII: for whoever signs, compares or sends it."""

    def __repr__(self) -> str:
        return _SHOWN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.octets, other.octets)

    def __hash__(self) -> int:
        return hash(self.octets)

    def matches(self, said: str) -> bool:
        """Whether `said` is it; where it differs cannot be told from how long that takes."""
        return hmac.compare_digest(self.octets, said.encode("utf-8", "surrogateescape"))


def read_secret(text: str, environment: Mapping[str, str]) -> Secret:
    """The secret that `text` is, or that the variable it names in `environment` holds.

    Raises:
        ValueError: there is none; the words have nothing of it.
    """
    if not text.startswith("$"):
        return _checked(text, "a secret is")
    name = text.removeprefix("$")
    if _VARIABLE.fullmatch(name) is None:
        raise ValueError("after a $ comes the name of an environment variable: A-Z, 0-9 and _")
    if name not in environment:
        raise ValueError(f"the environment variable {name} is not set")
    return _checked(environment[name], f"what the environment variable {name} holds is no secret:")


def _checked(text: str, said: str) -> Secret:
    if _SECRET.fullmatch(text) is None:
        raise ValueError(f"{said} {_WANTED}")
    return Secret(text.encode("ascii"))


def holds_secrets(path: str) -> bool:
    """Whether what stands at `path` of a configuration is to be shown to nobody."""
    return not SECRET_KEYS.isdisjoint(re.split(r"[.\[]", path))


def hidden(node: object, file: str, path: str, environment: Mapping[str, str]) -> object:
    """`node`, which stands at `path` of `file`, with each of its texts a secret.

    Raises:
        ConfigError: one is none.
    """
    match node:
        case str():
            try:
                return read_secret(node, environment)
            except ValueError as error:
                raise ConfigError(file, path, str(error)) from None
        case list():
            items = enumerate(cast("list[object]", node))
            return [hidden(item, file, f"{path}[{index}]", environment) for index, item in items]
        case dict():
            pairs = cast("dict[str, object]", node).items()
            return {key: hidden(at, file, f"{path}.{key}", environment) for key, at in pairs}
        case _:
            return node
