"""Playback tokens: each allows its bearer to play a part of a channel until it expires.

{payload}.{mac}
payload     base64url, without padding, of {expiry}:{prefix}
expiry      Unix seconds from which the token is invalid
prefix      /live/{channel}, or a view or a track below it
mac         base64url, without padding, of HMAC-SHA256(key, payload as it stands in the token)

Every holder of a key can sign tokens, by this format or by `ringside token`.
"""

import hmac
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import NamedTuple

from packager.config.secret import Secret

LONGEST = 512
"""Maximum characters of a token."""
LONGEST_PREFIX = 256
"""Maximum characters of a prefix, so that no token exceeds `LONGEST`."""

_PREFIX = re.compile(r"/live/[a-z0-9][a-z0-9_-]{0,31}(?:/[0-9A-Za-z._-]+)*")
_PAYLOAD = re.compile(rf"(0|[1-9][0-9]{{0,9}}):({_PREFIX.pattern})")
_LAST = 10**10 - 1
"""Unix seconds, in the year 2286."""


class TokenClaim(NamedTuple):
    """The content of a token."""

    prefix: str
    expires: int
    """Unix seconds."""


def sign(key: Secret, prefix: str, expires: int) -> str:
    """The token for all URLs under `prefix` until `expires`, in Unix seconds.

    Raises:
        ValueError: the prefix or the time is invalid.
    """
    if len(prefix) > LONGEST_PREFIX or _PREFIX.fullmatch(prefix) is None:
        raise ValueError(
            "a prefix is /live/{channel}, or a view or track below it, without a final /"
        )
    if not 0 <= expires <= _LAST:
        raise ValueError("a token expires between the years 1970 and 2286")
    payload = _text(f"{expires}:{prefix}".encode("ascii"))
    return f"{payload}.{_mac(key, payload)}"


def verified(keys: Sequence[Secret], token: str) -> TokenClaim | None:
    """The content of `token`; None if it is signed by none of `keys`.

    The signature is compared as text: base64 has several spellings of the same bytes.
    """
    if len(token) > LONGEST or not token.isascii():
        return None
    payload, _, mac = token.partition(".")
    # All keys are compared, so that the time taken does not depend on the key.
    signed = [hmac.compare_digest(_mac(key, payload), mac) for key in keys]
    return _claim(payload) if any(signed) else None


def _claim(payload: str) -> TokenClaim | None:
    """The content of a payload; None if the signer made it wrongly."""
    try:
        text = b64decode(payload + "=" * (-len(payload) % 4), b"-_", validate=True).decode("ascii")
    except ValueError:
        return None
    match = _PAYLOAD.fullmatch(text)
    if match is None or len(match[2]) > LONGEST_PREFIX:
        return None
    return TokenClaim(match[2], int(match[1]))


def _mac(key: Secret, payload: str) -> str:
    return _text(hmac.digest(key.value, payload.encode("ascii"), "sha256"))


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
