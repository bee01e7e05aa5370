"""The words and sentences that plain English does without."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache

from tests.house.plain import BREAK, CODE
from tests.house.scopes import passages
from tests.house.tree import Offence, Tree

LONGEST_SENTENCE = 25
_VERBS = (
    "is|are|was|were|has|have|had|does|did|do|can|could|will|would|must|may|might|should|shall|"
    "comes?|came|goes|went|becomes?|became|stands?|stood|lies|lay|follows?|followed|makes?|made|"
    "remains?|remained|stays?|stayed|belongs?|needs?|takes?|took|happens?|happened|begins?|began|"
    "ends?|ended|arrives?|arrived|leaves?|left|gets?|got|keeps?|kept|holds?|held|changes?|changed|"
    "fails?|failed|runs?|ran|differs?|matters?|reads?|writes?|sends?|sent|plays?|shows?|showed|"
    "cannot"
)


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b".replace(" ", rf"[^\S{BREAK}]+"), re.IGNORECASE)


PATTERNS = {
    "who": _words("who|whoever|whom|whomever"),
    "nobody": _words("nobody|somebody|anybody|everybody|someone|anyone|everyone"),
    "what is": _words(f"what (?:{_VERBS})"),
    "said": _words("said|told|says?|saying|tells?|telling"),
    "is none": re.compile(r"\b(?:[Ii]s|[Aa]re|[Ww]as|[Ww]ere|be)\s+none\b"),  # not Python's None
    "banned": _words("anew|for good|of late|at hand|at work|it is one that"),
    "come": _words("come|comes|came|coming"),
}
_WORD = re.compile(rf"{CODE}|[^\W_]+(?:['’\-][^\W_]+)*")  # noqa: RUF001 - as typesetters write it
_SENTENCE_END = re.compile(
    rf"(?<!\be\.g)(?<!\bi\.e)[.?!][\"')\]]*(?=\s|$|{BREAK})|{BREAK}|\n[ \t]*\n"
)


def find_words(tree: Tree, scope: str, name: str) -> list[Offence]:
    """Each place in a scope where a pattern of `PATTERNS` matches."""
    return [
        Offence(passage.path, passage.line_at(match.start()), _around(passage.text, match))
        for passage in passages(tree, scope)
        for match in PATTERNS[name].finditer(passage.text)
    ]


def _around(text: str, match: re.Match[str]) -> str:
    """The match with up to 30 characters on each side."""
    start, end = max(0, match.start() - 30), match.end() + 30
    return _shown(f"{text[start : match.start()]}[{match[0]}]{text[match.end() : end]}")


def _shown(text: str) -> str:
    one_line = re.sub(rf"\s*{BREAK}\s*", " / ", text.replace(CODE, "`…`"))
    return " ".join(one_line.split()).strip(" /")


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Each sentence of a prose text with the offset of its first character."""
    start = 0
    for end in _SENTENCE_END.finditer(text):
        yield from _sentence(text, start, end.end())
        start = end.end()
    yield from _sentence(text, start, len(text))


def _sentence(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    if _WORD.search(text, start, end):
        blank = len(text[start:end]) - len(text[start:end].lstrip())
        yield start + blank, text[start + blank : end]


def count_words(text: str) -> int:
    """The number of words; each piece of code is one."""
    return len(_WORD.findall(text))


def find_long_sentences(tree: Tree, scope: str) -> list[Offence]:
    """Sentences of a scope with more than 25 words."""
    return [
        Offence(passage.path, passage.line_at(offset), f"{words} words: {_shown(sentence)}")
        for passage in passages(tree, scope)
        for offset, sentence in sentences(passage.text)
        if (words := count_words(sentence)) > LONGEST_SENTENCE
    ]


@cache
def words_by_path(tree: Tree, scope: str) -> Mapping[str, int]:
    """The number of words of prose in each file of a scope."""
    counts: Counter[str] = Counter()
    for passage in passages(tree, scope):
        counts[passage.path] += count_words(passage.text)
    return counts


@cache
def sentences_by_path(tree: Tree, scope: str) -> Mapping[str, int]:
    """The number of sentences in each file of a scope."""
    counts: Counter[str] = Counter()
    for passage in passages(tree, scope):
        counts[passage.path] += sum(1 for _ in sentences(passage.text))
    return counts
