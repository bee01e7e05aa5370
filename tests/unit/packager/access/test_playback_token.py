import hashlib
import hmac
from base64 import urlsafe_b64encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from packager.access.playback_token import LONGEST, LONGEST_PREFIX, TokenClaim, sign, verified
from packager.config.secret import Secret

KEY, OTHER, THIRD = (Secret(text * 4) for text in (b"first", b"other", b"third"))
NAME = st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,31}\Z")
PREFIX = st.builds(
    lambda channel, rest: "/".join(["/live", channel, *rest]),
    NAME,
    st.lists(st.from_regex(r"\A[0-9A-Za-z._-]{1,20}\Z"), max_size=4),
)
EXPIRES = st.integers(0, 10**10 - 1)


@given(PREFIX, EXPIRES)
def test_a_signed_token_is_verified(prefix: str, expires: int) -> None:
    token = sign(KEY, prefix, expires)
    assert verified([KEY], token) == TokenClaim(prefix, expires)
    assert len(token) <= LONGEST


@given(PREFIX, EXPIRES)
def test_either_of_two_keys_opens(prefix: str, expires: int) -> None:
    for key in (KEY, OTHER):
        assert verified([KEY, OTHER], sign(key, prefix, expires)) == TokenClaim(prefix, expires)
    assert verified([KEY, OTHER], sign(THIRD, prefix, expires)) is None
    assert verified([], sign(KEY, prefix, expires)) is None


@given(PREFIX, EXPIRES, st.data())
def test_no_character_can_be_another(prefix: str, expires: int, data: st.DataObject) -> None:
    token = sign(KEY, prefix, expires)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != token[at]))
    assert verified([KEY], token[:at] + other + token[at + 1 :]) is None
    assert verified([KEY], token[:at] + token[at + 1 :]) is None
    assert verified([KEY], token[:at] + other + token[at:]) is None


def test_the_last_character_has_one_spelling() -> None:
    token = sign(KEY, "/live/arena", 1)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert [c for c in letters if verified([KEY], token[:-1] + c)] == [token[-1]]


@given(st.text(max_size=600))
@example("")
@example(".")
@example("a.b.c")
def test_other_text_is_no_token(text: str) -> None:
    assert verified([KEY], text) is None


def signed(payload: bytes) -> str:
    """A signed token with an invalid payload."""
    head = urlsafe_b64encode(payload).rstrip(b"=")
    mac = hmac.digest(KEY.value, head, hashlib.sha256)
    return b".".join([head, urlsafe_b64encode(mac).rstrip(b"=")]).decode()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"1:",
        b"1:/live/",
        b"1:/live/arena/",
        b"1:/live//arena",
        b"1:/live/arena//x",
        b"1:/live/Arena",
        b"1:/live/arena/%2e",
        b"1:/live/arena?x",
        b"1:/live/arena\n",
        b"1:/live/arena\r\nX: y",
        b":/live/arena",
        b"01:/live/arena",
        b"-1:/live/arena",
        b"1.5:/live/arena",
        b"12345678901:/live/arena",
        b"\xd9\xa1:/live/arena",
        b"1 :/live/arena",
        b"1:live/arena",
        b"\xff",
        b"1:/live/a/" + b"x" * LONGEST_PREFIX,
    ],
)
def test_a_signed_payload_of_another_form_is_no_token(payload: bytes) -> None:
    assert verified([KEY], signed(b"1:/live/arena")) == TokenClaim("/live/arena", 1)
    assert verified([KEY], signed(payload)) is None


def test_the_longest() -> None:
    prefix = "/live/arena/" + "x" * (LONGEST_PREFIX - len("/live/arena/"))
    token = sign(KEY, prefix, 10**10 - 1)
    assert verified([KEY], token) == TokenClaim(prefix, 10**10 - 1)
    with pytest.raises(ValueError, match="a prefix is"):
        sign(KEY, f"{prefix}x", 1)


@pytest.mark.parametrize("prefix", ["", "/", "/live", "/live/", "/live/a/", "live/a", "/live/a?b"])
def test_an_invalid_prefix_is_not_signed(prefix: str) -> None:
    with pytest.raises(ValueError, match="a prefix is"):
        sign(KEY, prefix, 1)


@pytest.mark.parametrize("expires", [-1, 10**10])
def test_when_no_token_can_expire(expires: int) -> None:
    with pytest.raises(ValueError, match="between the years"):
        sign(KEY, "/live/a", expires)
