"""Markdown and docstrings reduced to prose."""

import pytest

from tests.house.plain import BREAK, CODE, plain

KEPT = [
    ("A viewer waits.", "A viewer waits."),
    ("the `who` key", f"the {CODE} key"),
    ("a ``x `y` z`` key", f"a {CODE} key"),
    ("see [the *page*](docs/who.md#who)", "see the *page*"),
    ("![a picture](who.png)", "a picture"),
    ("from https://example.org/who on", f"from {CODE} on"),
    ('"who is it" in a log', f"{CODE} in a log"),
    ("<b>bold</b>", " bold "),
    ("# Title", f"{BREAK}Title{BREAK}"),
    ("- one", f"{BREAK}one"),
    ("| a | b |", f"{BREAK} a {BREAK} b {BREAK}"),
    ("| --- | --- |", BREAK),
    ("> quoted by a player", BREAK),
    ("feed -> ffmpeg", "feed -> ffmpeg"),
    ("feed --> ffmpeg", f"{BREAK}feed {BREAK} ffmpeg{BREAK}"),
]


@pytest.mark.parametrize(("text", "kept"), KEPT)
def test_the_plain_text_of_a_line(text: str, kept: str) -> None:
    assert plain(text) == kept


CODE_BLOCKS = [
    "```sh\nwho is there\n\nwho\n```",
    "<!-- who\nis -->",
    "Run:\n\n    who --all\n\n    who",
]


@pytest.mark.parametrize("text", CODE_BLOCKS)
def test_code_blocks_go_and_their_lines_stay(text: str) -> None:
    assert "who" not in plain(text)
    assert plain(text).count("\n") == text.count("\n")


def test_arguments_of_a_docstring_and_nested_items_are_prose() -> None:
    assert "the viewer" in plain("Send.\n\nArgs:\n    to: the viewer.")
    assert "the viewer" in plain("- one\n\n    the viewer")
