"""Writes docs/configuration.md from the configuration's types; `--check` only compares."""

import argparse
import sys
from pathlib import Path

from packager.config.export.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def main() -> None:
    """Write the page, or exit with code 1 if it differs from the types."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    text = reference()
    if not parser.parse_args().check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit("docs/configuration.md is stale: run python -m tests.house.configuration_page")


if __name__ == "__main__":
    main()
