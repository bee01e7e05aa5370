"""Markdown and docstrings reduced to their sentences: code, links' targets and quotations go.

The number of lines stays, so that an offset in the result gives a line of the file. A placeholder
word stands for each piece of code, and `BREAK` for an end of a sentence that layout implies.
"""

import re
from collections.abc import Iterable, Iterator

BREAK = "\x1f"
CODE = "\x1a"
"""Counted as one word."""

_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
_HTML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_INLINE_CODE = re.compile(r"(`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
_URL = re.compile(r"<?\b(?:https?|rtmps?|srt|udp|rtp)://[^\s)>\]]+>?")
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]*>")
_QUOTATION = re.compile(r"(?<!\w)[\"“](?=\S)(?:(?!\n\s*\n)[^\"”]){1,240}?[\"”](?!\w)")
_RULE = re.compile(r"^[\s|:=+-]+$")
_ITEM = re.compile(r"^(\s*)(?:[-*+]|\d+[.)])\s+")
_HEADING = re.compile(r"^\s*#+\s+(.*)$")
_DRAWING = re.compile(r"[\u2190-\u21ff\u2500-\u257f\u25a0-\u25ff]+|[-=]{2,}>|<[-=]{2,}")


def plain(text: str) -> str:
    """The prose of a markdown text or a docstring, with as many lines as the text."""
    for pattern in (_FENCE, _HTML_COMMENT):
        text = pattern.sub(_blank, text)
    text = "\n".join(_without_indented_code(text.split("\n")))
    text = _INLINE_CODE.sub(_placeholder, text)
    text = _LINK.sub(lambda link: link[1] + _ends(link[0][link.end(1) - link.start() :]), text)
    for pattern in (_URL, _QUOTATION):
        text = pattern.sub(_placeholder, text)
    text = _TAG.sub(" ", text)
    return "\n".join(_laid_out(line) for line in text.split("\n"))


def _ends(text: str) -> str:
    return "\n" * text.count("\n")


def _blank(match: re.Match[str]) -> str:
    return BREAK + _ends(match[0])


def _placeholder(match: re.Match[str]) -> str:
    return CODE + _ends(match[0])


def _without_indented_code(lines: Iterable[str]) -> Iterator[str]:
    """Lines, with those empty that are indented by four or more after an empty line.

    Lines of a list stay: a list is indented as deep as code.
    """
    code = False
    listed = False
    after_empty = True
    for line in lines:
        empty = not line.strip()
        indented = line.startswith("    ")
        if _ITEM.match(line):
            listed = True
        elif not indented and not empty:
            listed = False
        code = not empty and indented and not listed and (code or after_empty)
        after_empty = empty or (after_empty and code)
        yield BREAK if code else line


def _laid_out(line: str) -> str:
    """A line with the ends of sentences that a table, list, heading or drawing implies."""
    if not line.strip() or _RULE.match(line) or line.lstrip().startswith(">"):
        return BREAK
    if heading := _HEADING.match(line):
        return BREAK + heading[1] + BREAK
    if line.lstrip().startswith("|"):
        return BREAK + line.strip().strip("|").replace("|", BREAK) + BREAK
    if _DRAWING.search(line):
        return BREAK + _DRAWING.sub(BREAK, line) + BREAK
    return _ITEM.sub(BREAK, line)
