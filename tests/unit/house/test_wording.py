"""The words and the sentences of prose."""

import pytest

from tests.house.scopes import SCOPES
from tests.house.tree import tree_of
from tests.house.wording import (
    count_words,
    find_long_sentences,
    find_words,
    sentences,
    sentences_by_path,
    words_by_path,
)

WORDS = [
    ("who", "Who is let in.", "The viewers of a channel."),
    ("who", "those whom it serves", "the viewer whose token expired"),
    ("nobody", "somebody's feed", "an encoder's feed"),
    ("what is", "What is\nmissing is sent", "what a player shows"),
    ("what is", "what comes next", "the next segment"),
    ("what is", "what has ended", "| what | is |"),
    ("said", "as the manifest says", "as the manifest has it"),
    ("said", "the player is told", "the player is informed"),
    ("is none", "empty where there is none", "the value is None"),
    ("banned", "written anew", "written again"),
    ("banned", "it is gone for good", "good for a day"),
    ("banned", "none of late", "the late segment"),
    ("banned", "what lies at hand", "on the other hand"),
    ("banned", "the channel at work", "the work of a channel"),
    ("banned", "it is one that ends", "it ends"),
    ("come", "the segment came", "the segment arrived"),
]


@pytest.mark.parametrize(("name", "bad", "good"), WORDS)
def test_words_that_plain_english_does_without(name: str, bad: str, good: str) -> None:
    tree = tree_of({"packager/bad.py": f'"""{bad}"""', "packager/good.py": f'"""{good}"""'})
    assert [found.path for found in find_words(tree, "product", name)] == ["packager/bad.py"]


def test_an_offence_has_its_line_and_its_surroundings() -> None:
    tree = tree_of({"docs/a.md": "# Title\n\nA line.\nHere `x` tells\nwho waits.\n"})
    (found,) = find_words(tree, "docs", "who")
    assert (found.line, found.text) == (5, "Title / A line. Here `…` tells [who] waits.")


def test_code_is_one_word() -> None:
    assert count_words("a viewer's `x` of 4.5 s".replace("`x`", "\x1a")) == 7


SENTENCES = [
    ("One. Two? Three!", 3),
    ("A value of 1.5 s, e.g. this.", 1),
    ("One\n\nTwo", 2),
    ("One (so.) Two", 2),
    ("...", 0),
]


@pytest.mark.parametrize(("text", "count"), SENTENCES)
def test_sentences(text: str, count: int) -> None:
    assert len(list(sentences(text))) == count


def test_long_sentences() -> None:
    long, short = " ".join(["word"] * 26), " ".join(["word"] * 25)
    tree = tree_of({"docs/a.md": f"{short}.\n{long}.\n\n- {short}\n- {short}\n"})
    (found,) = find_long_sentences(tree, "docs")
    assert (found.line, found.text[:9]) == (2, "26 words:")
    assert words_by_path(tree, "docs") == {"docs/a.md": 101}
    assert sentences_by_path(tree, "docs") == {"docs/a.md": 4}


FILES = {
    "product": ["packager/a.py", "origin/a.js", "profiles/a.yaml", "deploy/a.yaml"],
    "tests": ["tests/unit/a.py", "tests/a.js"],
    "bench": ["bench/a.py"],
    "docs": ["docs/decisions/a.md", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"],
    "messages": ["packager/a.py"],
}


def test_each_file_is_in_its_scope() -> None:
    texts = {".py": 'raise A("who")  # who', ".js": "// who", ".yaml": "# who", ".md": "who"}
    paths = {path for group in FILES.values() for path in group}
    tree = tree_of({path: texts[path[path.rindex(".") :]] for path in paths})
    for scope in SCOPES:
        found = {offence.path for offence in find_words(tree, scope, "who")}
        assert found == set(FILES[scope])
