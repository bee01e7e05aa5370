"""Links and paths lead somewhere."""

import pytest

from tests.house import links
from tests.house.tree import tree_of

FILES = {
    "README.md": "# Ringside",
    "docs/access.md": "# Who may: *watch*\n\n## Keys & `tokens`\n",
    "docs/decisions/0009-supervisor.md": "",
    "docs/images/page.png": "",
    "packager/cmaf/boxes.py": "",
    "packager/cmaf/init.py": "",
}

LINKS = [
    ("[a](access.md)", True),
    ("[a](../README.md)", True),
    ("[a](../packager/cmaf)", True),
    ('![a](images/page.png "title")', True),
    ("[a](https://example.org/b.md)", True),
    ("[a](access.md#who-may-watch)", True),
    ("[a](access.md#keys--tokens)", True),
    ("```\n[a](b.md)\n```", True),
    ("[a](acc.md)", False),
    ("[a](access.md#keys)", False),
    ("[a](#nothing)", False),
    ("[a]: missing.md", False),
]


@pytest.mark.parametrize(("text", "right"), LINKS)
def test_links(text: str, right: bool) -> None:  # noqa: FBT001 - a parameter
    tree = tree_of({**FILES, "docs/a.md": text})
    assert (links.find_dead_links(tree) == []) is right


PATHS = [
    ("`packager/cmaf/boxes.py`", True),
    ("`packager/cmaf/`", True),
    ("`packager/cmaf`", True),
    ("`packager/cmaf/{boxes,init}.py`", True),
    ("`packager/*/boxes.py`", True),
    ("`packager/cmaf/boxes.py:12`", True),
    ("`docs/decisions/0009`", True),
    ("`python bench/out/a.json`", True),
    ("`/live/{channel}/packager/x.py`", True),
    ("`ladders/x.yaml`", True),
    ("`packager/boxes.py`", False),
    ("`packager/cma/`", False),
    ("`packager/cmaf/{boxes,mend}.py`", False),
    ("`python packager/cmaf/run.py --all`", False),
    ("`docs/decisions/0010`", False),
]


@pytest.mark.parametrize(("text", "right"), PATHS)
def test_paths_in_documents(text: str, right: bool) -> None:  # noqa: FBT001 - a parameter
    tree = tree_of({**FILES, "docs/a.md": text})
    assert (links.find_dead_paths(tree) == []) is right


def test_paths_in_code() -> None:
    text = '"""See packager/cmaf/boxes.py\nand docs/gone.md."""\nURL = "/origin/a.js"\n'
    found = links.find_dead_paths_in_code(tree_of({**FILES, "origin/a.py": text}))
    assert [str(offence) for offence in found] == ["origin/a.py:2: no docs/gone.md"]
