"""The app and the stream name that a publisher sends, and the stream key in them."""

from urllib.parse import unquote

APP = "live"
_MAX_KEY_LENGTH = 256


def below(app: str) -> str | None:
    """The path below the server's app in the requested app; None for another app.

    Encoders split a URL at different places: of `live/a/b`, some send `live/a` as the app.
    """
    first, _, rest = app.partition("?")[0].strip("/").partition("/")
    return rest if first == APP else None


def keys(prefix: str, name: str) -> tuple[str, ...]:
    """The stream keys that `name`, with `prefix` below the app, may mean, the likeliest first.

    Encoders send a name with or without percent encoding, and with or without a query. Both may
    also be part of the key itself. Texts that cannot be a key are left out.
    """
    path = f"{prefix}/{name}" if prefix else name
    plain = path.partition("?")[0]
    forms = (path, plain, unquote(path), unquote(plain))
    return tuple(dict.fromkeys(filter(_can_be_key, forms)))


def _can_be_key(key: str) -> bool:
    return (
        0 < len(key) <= _MAX_KEY_LENGTH and key.isascii() and key.isprintable() and " " not in key
    )
