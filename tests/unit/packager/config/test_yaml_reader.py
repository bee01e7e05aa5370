"""YAML text as a tree with places, and the problems of its notation."""

import pytest

from packager.config.yaml_reader import Mark, YamlMap, YamlText, read_yaml

TEXT = "{a: 25, b: 29.97, c: true, d: null, e: 2020-01-01, f: 1_0, g: 0x1f, h: }"


def test_scalars_stay_text() -> None:
    tree, problems = read_yaml(TEXT, "x")
    assert tree is not None
    assert problems == []
    assert "".join(tree.entries) == "abcdefgh"
    values = [entry.value for entry in tree.entries.values()]
    texts = [value.text for value in values if isinstance(value, YamlText)]
    assert texts == ["25", "29.97", "true", "null", "2020-01-01", "1_0", "0x1f", ""]


def test_every_key_and_value_has_its_line_and_column() -> None:
    tree, _ = read_yaml("a: 1\nb:\n  c: 2\n", "x")
    assert tree is not None
    assert (tree.entries["a"].mark, tree.entries["a"].value.mark) == (Mark(1, 1), Mark(1, 4))
    inner = tree.entries["b"].value
    assert isinstance(inner, YamlMap)
    assert (inner.mark, inner.entries["c"].value.mark) == (Mark(3, 3), Mark(3, 6))


def test_all_problems_of_the_notation_are_reported() -> None:
    _, problems = read_yaml("a: !t 1\nb: *c\nd: !u 2\n", "x")
    assert [str(problem) for problem in problems] == [
        "x:1:4: tags are not supported: remove the tag that begins with !",
        "x:2:4: aliases are not supported: write the value out",
        "x:3:4: tags are not supported: remove the tag that begins with !",
    ]


def test_all_problems_of_the_keys_are_reported() -> None:
    tree, problems = read_yaml("a: 1\na: 2\nb c: 3\n", "x")
    assert tree is not None
    assert list(tree.entries) == ["a"]
    assert [(one.line, one.path, one.reason) for one in problems] == [
        (2, "a", "given twice, first on line 1"),
        (3, "", "not a key"),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\n---\nb: 2\n", "2:1: expected one document, but found another document: remove the"),
        ("%YAML 3.0\n---\na: 1\n", "1:1: found incompatible YAML document"),
        ("a: 1\nb: @c\n", "2:4: found character '@' that cannot start any token: quote the value"),
        ("a: 1\nb: \x07\n", "2:4: unacceptable character #x0007"),
        ('a: 1\nb: "\\UFFFFFFFF"\n', "2:5: an escape or a directive is out of range: remove it"),
    ],
)
def test_a_text_that_is_no_yaml_has_its_place_and_a_remedy(text: str, problem: str) -> None:
    _, (found,) = read_yaml(text, "x")
    assert str(found).startswith(f"x:{problem}")


def test_the_first_level_too_deep_ends_the_reading() -> None:
    _, problems = read_yaml("a: " + "[" * 100_000, "x")
    assert [problem.reason for problem in problems] == ["nested too deep"]
