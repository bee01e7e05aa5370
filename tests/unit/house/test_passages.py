"""Prose in source files."""

from tests.house.passages import Passage, python_passages, script_passages, yaml_passages
from tests.house.tree import Source

PYTHON = '''"""A module."""

A = "# not a comment"  # trailing
"""Of an attribute."""
# one
# two
B = 1  # noqa: PLC0415 - for a reason


def f() -> str:
    """Of a function.

    Second paragraph.
    """
    return """# no comment"""
'''


def found(passages: list[Passage]) -> list[tuple[int, str]]:
    return sorted((passage.line, passage.text) for passage in passages)


def test_docstrings_and_comments_with_their_lines() -> None:
    passages = list(python_passages(Source("a.py", PYTHON)))
    assert [(line, text.split("\n")[0]) for line, text in found(passages)] == [
        (1, "A module."),
        (3, "trailing"),
        (4, "Of an attribute."),
        (5, "one"),
        (7, "for a reason"),
        (11, "Of a function."),
    ]
    assert passages[0].line_at(0) == 1
    of_function = next(passage for passage in passages if "Second" in passage.text)
    assert of_function.line_at(of_function.text.index("Second")) == 13


def test_comments_on_lines_that_follow_one_another_are_one_passage() -> None:
    passages = found(list(python_passages(Source("a.py", PYTHON))))
    assert (5, "one\ntwo") in passages


def test_comments_of_scripts() -> None:
    text = 'const a = "// no"; // one\n// two\n// three\n/* four\n * five */\n'
    assert found(list(script_passages(Source("a.js", text)))) == [
        (1, "one"),
        (2, "two\nthree\nfour\nfive"),
    ]


def test_comments_of_yaml() -> None:
    text = "# one\n# two\na: b#c\nd: '# no' # three\n"
    assert found(list(yaml_passages(Source("a.yaml", text)))) == [(1, "one\ntwo"), (4, "three")]
