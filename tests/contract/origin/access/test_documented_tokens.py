"""The examples of docs/access.md work as described."""

import re
import subprocess
import sys

import pytest

from packager.access.playback_token import sign
from packager.config.parse import parse_config
from packager.config.secret import Secret
from tests.paths import ROOT

DOCS = (ROOT / "docs" / "access.md").read_text()
PROGRAMS = {"sh": ["sh"], "python": [sys.executable, "-"], "yaml": []}
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```$", DOCS, re.DOTALL | re.MULTILINE))


def test_all_examples_are_known() -> None:
    assert set(BLOCKS) == set(PROGRAMS)


@pytest.mark.parametrize("language", ["sh", "python"])
def test_an_example_makes_the_token(language: str) -> None:
    done = subprocess.run(
        PROGRAMS[language], input=BLOCKS[language], capture_output=True, text=True, check=True
    )
    token = done.stdout.strip()
    key = Secret(b"correct-horse-battery-staple")
    assert token == sign(key, "/live/arena/event/fight", 1_800_000_000)
    assert f"\n{token}\n" in DOCS


def test_the_configuration_can_be_used() -> None:
    text = BLOCKS["yaml"].replace("  arena:\n", "  arena:\n    source: {type: pattern}\n")
    text = text.replace("    access:", "    ladder: demo\n    access:")
    names = re.findall(r"\$([A-Z_]+)", text)
    environment = {name: f"secret-{name:_>16}" for name in names}
    config = parse_config(f"data: data\n{text}", "docs/access.md", environment)
    assert config.origin.control_token is not None
    access = config.channels["arena"].access
    assert len(access.token_keys) == 2
    assert sorted(access.cdn_secrets) == ["akamai", "fastly"]
