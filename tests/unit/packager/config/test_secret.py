import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.config.secret import Secret, read_secret

TEXT = "correct-horse-battery"
PRINTABLE = [chr(code) for code in range(0x21, 0x7F)]
secrets = st.text(PRINTABLE, min_size=16, max_size=256).filter(lambda s: not s.startswith("$"))


@given(secrets)
def test_a_secret_is_read_unchanged(text: str) -> None:
    secret = read_secret(text, {})
    assert secret.value == text.encode()
    assert secret.matches(text)
    assert not secret.matches(text[:-1])
    assert read_secret("$A_1", {"A_1": text}) == secret


@given(st.text(st.characters(codec="utf-8", exclude_characters=PRINTABLE), min_size=1), secrets)
def test_no_other_character(odd: str, text: str) -> None:
    with pytest.raises(ValueError, match="a secret is 16 to 256 printable ASCII"):
        read_secret((text + odd)[-256:], {})


@pytest.mark.parametrize("text", ["", "x" * 15, "x" * 257, "x" * 16 + "\n"])
def test_a_text_that_is_refused_is_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="16 to 256") as caught:
        read_secret(text, {})
    assert not text or text not in str(caught.value)
    with pytest.raises(ValueError, match="the environment variable NAME holds no secret") as caught:
        read_secret("$NAME", {"NAME": text})
    assert not text or text not in str(caught.value)


def test_a_variable_that_holds_a_name_is_not_followed() -> None:
    with pytest.raises(ValueError, match="the first of them no"):
        read_secret("$A", {"A": "$BBBBBBBBBBBBBBBBBBBBB", "BBBBBBBBBBBBBBBBBBBBB": TEXT})


def test_a_variable_that_is_not_set() -> None:
    with pytest.raises(ValueError, match="the environment variable NAME is not set"):
        read_secret("$NAME", {"OTHER": TEXT})


@pytest.mark.parametrize("text", ["$", "$$", "$name", "$ecret-password-1", "$A-B", "$1A", "$ A"])
def test_a_text_that_is_no_variable_is_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="a \\$ has to be followed by") as caught:
        read_secret(text, {text[1:]: TEXT})
    assert "password" not in str(caught.value)


def test_no_encoder_shows_a_secret() -> None:
    secret = read_secret(TEXT, {})
    shown = [repr(secret), str(secret), f"{secret}", repr([secret])]
    assert not any(TEXT in text for text in shown)
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)
    with pytest.raises(TypeError):
        msgspec.to_builtins({"key": secret})


def test_matching_accepts_every_text_of_a_header() -> None:
    secret = Secret(TEXT.encode())
    assert not any(map(secret.matches, ["", "\udcff" * 16, "ü" * 21, "x" * 10_000]))
