"""Texts that operators read."""

import pytest

from tests.house.messages import (
    alert_messages,
    page_messages,
    python_messages,
    script_messages,
)
from tests.house.plain import BREAK, CODE
from tests.house.tree import Source

TEXTS = [
    ('raise FeedError("no video")', ["no video"]),
    ('raise FeedError(f"{name}: no video" + " at all")', [f"{CODE}: no video at all"]),
    ('return ConfigError(file, reason="unknown key")', ["unknown key"]),
    ("raise Refused(f\"{'a' if x else 'b'} c\")", [f"a{BREAK}b c"]),
    ('parser.add_argument("--who", help="the viewer")', ["the viewer"]),
    ('Counter("ringside_x_total", "Segments written")', ["Segments written"]),
    ('problem = f"{name} sends no video"', [f"{CODE} sends no video"]),
    ('"""A docstring of a module."""', []),
    ('HEADER = "no-store"', []),
    ('log.info("who.comes")', []),
    ("raise error", []),
]


@pytest.mark.parametrize(("code", "texts"), TEXTS)
def test_texts_of_python(code: str, texts: list[str]) -> None:
    lines = code.replace("return ", "x = ")
    assert [passage.text for passage in python_messages(Source("a.py", lines))] == texts


def test_texts_of_scripts() -> None:
    text = 'const a = ".one";\nb = `the ${n} segments are late`; // who is there\n'
    (passage,) = script_messages(Source("a.js", text))
    assert (passage.line, passage.text) == (2, f"the {CODE} segments are late")


def test_texts_of_alerts() -> None:
    text = (
        "groups:\n- rules:\n  - alert: A\n    expr: who\n    annotations:\n"
        '      summary: "{{ $labels.channel }} is late"\n'
    )
    (passage,) = alert_messages(Source("deploy/prometheus/alerts.yaml", text))
    assert (passage.line, passage.text) == (6, f"{CODE} is late")


def test_texts_of_a_page() -> None:
    text = '<p title="a tooltip">one\n</p><style>who {}</style><code>who</code>\n<b>two</b>'
    texts = [(passage.line, passage.text.strip()) for passage in page_messages(Source("a", text))]
    assert texts == [(1, "a tooltip"), (1, "one"), (3, "two")]
