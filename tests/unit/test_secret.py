import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.secret import Secret, holds_secrets, read_secret

TEXT = "correct-horse-battery"
PRINTABLE = [chr(code) for code in range(0x21, 0x7F)]
secrets = st.text(PRINTABLE, min_size=16, max_size=256).filter(lambda s: not s.startswith("$"))


@given(secrets)
def test_what_is_a_secret_is_read_as_it_is(text: str) -> None:
    secret = read_secret(text, {})
    assert secret.octets == text.encode()
    assert secret.matches(text)
    assert not secret.matches(text[:-1])
    assert read_secret("$A_1", {"A_1": text}) == secret


@given(st.text(st.characters(codec="utf-8", exclude_characters=PRINTABLE), min_size=1), secrets)
def test_no_other_character(odd: str, text: str) -> None:
    with pytest.raises(ValueError, match="a secret is 16 to 256 printable ASCII"):
        read_secret((text + odd)[-256:], {})


@pytest.mark.parametrize("text", ["", "x" * 15, "x" * 257, "x" * 16 + "\n"])
def test_what_is_none_is_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="16 to 256") as caught:
        read_secret(text, {})
    assert not text or text not in str(caught.value)
    with pytest.raises(ValueError, match="what the environment variable NAME holds") as caught:
        read_secret("$NAME", {"NAME": text})
    assert not text or text not in str(caught.value)


def test_a_variable_that_holds_a_name_is_not_followed() -> None:
    with pytest.raises(ValueError, match="the first of them no"):
        read_secret("$A", {"A": "$BBBBBBBBBBBBBBBBBBBBB", "BBBBBBBBBBBBBBBBBBBBB": TEXT})


def test_a_variable_that_is_not_set() -> None:
    with pytest.raises(ValueError, match="the environment variable NAME is not set"):
        read_secret("$NAME", {"OTHER": TEXT})


@pytest.mark.parametrize("text", ["$", "$$", "$name", "$ecret-password-1", "$A-B", "$1A", "$ A"])
def test_what_is_no_variable_may_be_a_secret(text: str) -> None:
    with pytest.raises(ValueError, match="after a \\$ comes the name") as caught:
        read_secret(text, {text[1:]: TEXT})
    assert "password" not in str(caught.value)


def test_nothing_shows_it() -> None:
    secret = read_secret(TEXT, {})
    shown = [repr(secret), str(secret), f"{secret}", repr([secret])]
    assert not any(TEXT in text for text in shown)
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)
    with pytest.raises(TypeError):
        msgspec.to_builtins({"key": secret})


def test_matching_takes_whatever_a_header_can_have() -> None:
    secret = Secret(TEXT.encode())
    assert not any(map(secret.matches, ["", "\udcff" * 16, "ü" * 21, "x" * 10_000]))


@pytest.mark.parametrize(
    ("path", "holds"),
    [
        ("origin.control_token", True),
        ("channels.a.access.token_keys[1]", True),
        ("channels.a.access", True),
        ("channels.a.ladder", False),
        ("channels.accessible.ladder", False),
        ("", False),
    ],
)
def test_where_secrets_are(path: str, *, holds: bool) -> None:
    assert holds_secrets(path) is holds
