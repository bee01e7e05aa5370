"""How texts are read as numbers."""

import pytest

from packager.config.scalars import integer

PORT = integer(1, 65_535, "a port from 1 to 65535", "8080")


@pytest.mark.parametrize("text", ["1000", "1e3", "1E+3", "1000.0", "0.1e4"])
def test_a_whole_number_has_several_notations(text: str) -> None:
    assert PORT.read(text) == 1000


@pytest.mark.parametrize("text", ["0", "65536", "1.5", "1e9", "-1", "0x10", "1_000", "", "1e", "٣"])
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        PORT.read(text)
