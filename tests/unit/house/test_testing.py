"""How tests are written."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest

from tests.house import testing
from tests.house.tree import Offence, Tree, tree_of

Find = Callable[[Tree], Sequence[Offence]]
fixed = partial(testing.find_sleeps, polling=False)
polling = partial(testing.find_sleeps, polling=True)

CASES: list[tuple[Find, str, str]] = [
    (testing.find_private_reads, "port._IDLE", "port.idle"),
    (testing.find_private_reads, "self.port._open", "self._open"),
    (testing.find_private_reads, "here._a = 1", "here.__class__"),
    (testing.find_private_reads, "a.b()._value", "request._replace(path=b)"),
    (testing.find_test_imports, "from tests.unit.test_a import b", "from tests.unit.a import b"),
    (testing.find_test_imports, "from .test_a import b", "from .support import a"),
    (testing.find_test_imports, "from tests.unit import test_a", "from a import test_b"),
    (testing.find_test_imports, "import tests.test_a", "import tests.a"),
    (testing.find_skips, "pytest.skip('why')", "pytest.fail('why')"),
    (testing.find_skips, "pytest.importorskip('numpy')", "import numpy"),
    (testing.find_skips, "@pytest.mark.xfail\ndef a(): ...", "@pytest.mark.e2e\ndef a(): ..."),
    (fixed, "time.sleep(0.1)", "time.sleep(0)"),
    (fixed, "sleep(2)", "sleep(seconds)"),
    (fixed, "for a in b: asyncio.sleep(1)", "while a: asyncio.sleep(1)"),
    (polling, "while a: asyncio.sleep(1)", "asyncio.sleep(1)"),
]


@pytest.mark.parametrize(("find", "bad", "good"), CASES)
def test_each_rule(find: Find, bad: str, good: str) -> None:
    tree = tree_of({"tests/bad.py": bad, "tests/good.py": good, "packager/bad.py": bad})
    assert [found.path for found in find(tree)] == ["tests/bad.py"]
