"""Where the tests find their data."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "tests" / "corpus"
GOLDEN = ROOT / "tests" / "golden"
OUT = ROOT / "tests" / "out"
"""What the tests make and keep: ignored by git."""
_BESIDE = Path(os.environ.get("RINGSIDE_EXTRA", ROOT.parent / "shared"))
"""A folder whose feeds and schema tests use in addition to their own, where it is there."""
EXTRA_FEEDS = sorted((_BESIDE / "feeds").glob("*.ts"))
EXTRA_SCHEMAS = sorted((_BESIDE / "schema").glob("DASH-MPD.xsd"))
