"""Playback tokens: text that says which part of a channel its bearer may play, and until when.

{payload}.{mac}
payload     base64url, without padding, of {expiry}:{prefix}
expiry      Unix seconds; from then on it is of no use
prefix      /live/{channel}, or a view or a track below it
mac         base64url, without padding, of HMAC-SHA256(key, payload as it stands in the token)

Whoever has a key can sign: another program that knows these lines, or `ringside token`.
"""

import hmac
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import NamedTuple

from packager.secret import Secret

LONGEST = 512
"""Characters of a token."""
LONGEST_PREFIX = 256
"""Characters: a token of it is no longer than `LONGEST`."""

_PREFIX = re.compile(r"/live/[a-z0-9][a-z0-9_-]{0,31}(?:/[0-9A-Za-z._-]+)*")
_PAYLOAD = re.compile(rf"(0|[1-9][0-9]{{0,9}}):({_PREFIX.pattern})")
_LAST = 10**10 - 1
"""Unix seconds: in the year 2286."""


class Claim(NamedTuple):
    """What a token says."""

    prefix: str
    expires: int
    """Unix seconds."""


def sign(key: Secret, prefix: str, expires: int) -> str:
    """The token for what lies under `prefix` until `expires`, in Unix seconds.

    Raises:
        ValueError: no token can say that.
    """
    if len(prefix) > LONGEST_PREFIX or _PREFIX.fullmatch(prefix) is None:
        raise ValueError("a prefix is /live/{channel} and what may stand behind it, with no / last")
    if not 0 <= expires <= _LAST:
        raise ValueError("a token expires between the years 1970 and 2286")
    payload = _text(f"{expires}:{prefix}".encode("ascii"))
    return f"{payload}.{_mac(key, payload)}"


def opened(keys: Sequence[Secret], token: str) -> Claim | None:
    """What `token` says, or None where none of `keys` has signed it.

    The signature is compared as text: base64 has several spellings of the same bytes.
    """
    if len(token) > LONGEST or not token.isascii():
        return None
    payload, _, mac = token.partition(".")
    # With every key, though the first has signed it: how long it takes tells nothing.
    signed = [hmac.compare_digest(_mac(key, payload), mac) for key in keys]
    return _claim(payload) if any(signed) else None


def _claim(payload: str) -> Claim | None:
    """What a payload says: whoever signed it may have got it wrong."""
    try:
        text = b64decode(payload + "=" * (-len(payload) % 4), b"-_", validate=True).decode("ascii")
    except ValueError:
        return None
    match = _PAYLOAD.fullmatch(text)
    if match is None or len(match[2]) > LONGEST_PREFIX:
        return None
    return Claim(match[2], int(match[1]))


def _mac(key: Secret, payload: str) -> str:
    return _text(hmac.digest(key.octets, payload.encode("ascii"), "sha256"))


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
