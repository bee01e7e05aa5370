"""Where the tests find their data."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "tests" / "corpus"
GOLDEN = ROOT / "tests" / "golden"
FEEDS = ROOT.parent / "shared" / "feeds"
"""Recorded feeds: beside the repository."""
SCHEMA = ROOT.parent / "shared" / "schema" / "DASH-MPD.xsd"
