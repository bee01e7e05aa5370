"""The schema of MPDs and their patches."""

from collections.abc import Callable
from functools import cache

import rnc2rng
from lxml import etree

from tests.paths import EXTRA_SCHEMAS, ROOT
from tests.support.dash_rules import problems
from tests.support.relaxng import Validator
from tests.support.relaxng_schema import validator_of

_COMPACT = ROOT / "tests" / "schema" / "dash.rnc"


@cache
def dash_schema() -> Validator:
    """The schema in `tests/schema/dash.rnc`."""
    written: str = rnc2rng.dumps(rnc2rng.loads(_COMPACT.read_text()))
    # The converter declares a prefix for attributes without a namespace, which XML does not allow.
    return validator_of(etree.fromstring(written.replace('xmlns:local=""', "").encode()))


def check_dash(root: etree._Element) -> None:
    """Check an MPD or a patch against the schema and the rules."""
    assert dash_schema().problem(root) == ""
    assert problems(root) == []


DASH_CHECKS: list[Callable[[etree._Element], None]] = [
    check_dash,
    *(etree.XMLSchema(file=str(path)).assertValid for path in EXTRA_SCHEMAS),
]
"""`check_dash`, and the schema of MPEG if its file exists."""
