"""Fuzz one target until it fails or its time is up.

    python -m tests.fuzz TARGET SECONDS

Inputs that cover new code, and inputs that fail, are kept in tests/out/fuzz/TARGET.
"""

import sys

import atheris

with atheris.instrument_imports(include=["origin", "packager"]):
    from tests.fuzz.targets import TARGETS
from tests.paths import CORPUS, ROOT


def main() -> None:
    """Fuzz what the command line names."""
    name, seconds = sys.argv[1:]
    found = ROOT / "tests" / "out" / "fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    seeds = CORPUS / "fuzz" / name
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={int(seconds)}",
            f"-artifact_prefix={found}/failed-",
            "-max_len=4096",
            "-timeout=10",
            str(found),
            str(seeds),
        ],
        TARGETS[name],
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
