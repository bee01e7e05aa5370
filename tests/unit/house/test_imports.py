"""Imports, the environment, and pyproject.toml."""

import pytest

from tests.house import imports
from tests.house.tree import Tree, tree_of

MODULES = dict.fromkeys(
    (
        "packager/errors.py",
        "packager/cmaf/boxes.py",
        "origin/http/http1.py",
        "origin/runtime/app.py",
    ),
    "",
)


def with_contract(lines: str) -> Tree:
    return tree_of({**MODULES, "pyproject.toml": f"[[tool.importlinter.contracts]]\n{lines}"})


CONTRACTS = [
    ('type = "forbidden"\nsource_modules = ["packager.cmaf"]', []),
    ('type = "forbidden"\nsource_modules = ["packager.cmaf.boxes"]', ["packager.cmaf.boxes"]),
    ('type = "forbidden"\nforbidden_modules = ["packager.errors", "os"]', ["packager.errors"]),
    ('type = "layers"\nlayers = ["origin.runtime.app", "packager.cmaf : packager.errors"]', []),
    ('type = "layers"\nlayers = ["cmaf | (errors)"]\ncontainers = ["packager"]', []),
    ('type = "layers"\nlayers = ["http1"]\ncontainers = ["origin.http"]', ["origin.http.http1"]),
    (
        'type = "forbidden"\nignore_imports = ["origin.http -> packager.cmaf.boxes"]',
        ["packager.cmaf.boxes"],
    ),
]


@pytest.mark.parametrize(("lines", "modules"), CONTRACTS)
def test_contracts_name_packages(lines: str, modules: list[str]) -> None:
    found = imports.find_named_modules(with_contract(lines))
    assert [offence.text.rpartition(" ")[2] for offence in found] == modules


def test_an_offence_in_pyproject_has_its_line() -> None:
    (found,) = imports.find_named_modules(with_contract('modules = [\n "packager.errors"\n]'))
    assert found.line == 3


RIGHT = (
    "[tool.ruff.lint]\nmccabe.max-complexity = 10\n"
    "pylint = { max-args = 6, max-branches = 9, max-returns = 6, max-statements = 40 }\n"
)


def test_limits_of_ruff() -> None:
    assert imports.find_loose_limits(tree_of({"pyproject.toml": RIGHT})) == []
    wrong = RIGHT.replace("= 10", "= 11").replace("max-args = 6, ", "")
    found = imports.find_loose_limits(tree_of({"pyproject.toml": wrong}))
    assert [(offence.line, offence.text) for offence in found] == [
        (2, "max-complexity is 11, at most 10"),
        (0, "max-args is None, at most 6"),
    ]


def test_limits_of_ruff_that_are_switched_off() -> None:
    text = "def a():  # noqa: C901, PLR0912 - a loop\nimport b  # noqa: PLC0415 - late\n"
    (found,) = imports.find_lifted_limits(tree_of({"origin/a.py": text}))
    assert found.line == 1


def test_lazy_imports() -> None:
    text = "import a\nif a:\n    import b\ndef f():\n    def g():\n        from c import d\n"
    (found,) = imports.find_lazy_imports(tree_of({"packager/a.py": text}))
    assert str(found) == "packager/a.py:6: from c import d"


WRITES = [
    "os.environ['A'] = 'b'",
    "environ['A'] += 'b'",
    "del os.environ['A']",
    "os.environ.update(a)",
    "os.environ.pop('A')",
    "os.putenv('A', 'b')",
]
READS = ["x = os.environ['A']", "os.environ.get('A')", "environment['A'] = 'b'", "a.update(b)"]


@pytest.mark.parametrize("text", WRITES)
def test_writes_to_the_environment(text: str) -> None:
    assert len(imports.find_environment_writes(tree_of({"packager/a.py": text}))) == 1


@pytest.mark.parametrize("text", READS)
def test_reads_of_the_environment(text: str) -> None:
    assert imports.find_environment_writes(tree_of({"packager/a.py": text})) == []
