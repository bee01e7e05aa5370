"""What a publisher calls itself: the app and the name of its stream."""

from urllib.parse import unquote

APP = "live"
_LONGEST = 256
"""Characters of a key."""


def below(app: str) -> str | None:
    """What lies below our app in the one that an encoder asks for; None if that is another.

    Encoders cut a URL where they will: of `live/a/b`, some take `live/a` for the app.
    """
    first, _, rest = app.partition("?")[0].strip("/").partition("/")
    return rest if first == APP else None


def keys(prefix: str, name: str) -> tuple[str, ...]:
    """The stream keys that `name`, in an app with `prefix` below it, may mean, likeliest first.

    It comes with or without percent encoding, and may carry a query: all of that may also be the
    key itself. None of them is one that nobody can have.
    """
    said = f"{prefix}/{name}" if prefix else name
    plain = said.partition("?")[0]
    forms = (said, plain, unquote(said), unquote(plain))
    return tuple(dict.fromkeys(filter(_possible, forms)))


def _possible(key: str) -> bool:
    return 0 < len(key) <= _LONGEST and key.isascii() and key.isprintable() and " " not in key
