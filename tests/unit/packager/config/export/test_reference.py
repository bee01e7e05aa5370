"""The reference page: complete, fresh, and with examples that can be used."""

import re

import pytest

from packager.config.decoding.shapes import struct_shape
from packager.config.export.reference import reference
from packager.config.parse import parse_config
from packager.config.schema.channel import ChannelEntry
from tests.house.configuration_page import PAGE

ROW = re.compile(r"^\| `(\w+)` \| (.*) \|  ?(.*) ?\| (.*) \| `(.*)` \| (.+) \|$", re.MULTILINE)
SMALL = "data: d\nchannels:\n  a:\n    source: {type: pattern}\n    ladder: demo\n"


def section(title: str) -> dict[str, str]:
    """The example of each key in the section with this title."""
    text = reference().partition(f"### {title}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    return {row[1]: row[5] for row in ROW.finditer(text)}


def test_the_page_is_fresh() -> None:
    message = "run python -m tests.house.configuration_page"
    assert PAGE.read_text(encoding="utf-8") == reference(), message


def test_every_key_is_there_with_a_sentence() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    for row in rows:
        *_, example, sentence, _ = re.split(r"(?<!\\) ?\| ?", row)
        assert example.strip("`"), row
        assert sentence.endswith("."), row
    assert set(section("`channels.CHANNEL`")) == set(struct_shape(ChannelEntry).fields)


@pytest.mark.parametrize("key", sorted(set(section("`origin`")) | set()))
def test_an_example_of_the_origin_can_be_used(key: str) -> None:
    example = section("`origin`")[key]
    other = "" if "port" in key else ", port: 1, control_port: 2"
    environment = {"CONTROL_TOKEN": "a-token-of-the-control-port"}
    parse_config(f"{SMALL}origin: {{{key}: {example}{other}}}", "r.yaml", environment)


@pytest.mark.parametrize("key", sorted(set(section("`channels.CHANNEL`")) - {"source", "ladder"}))
def test_an_example_of_a_channel_can_be_used(key: str) -> None:
    example = section("`channels.CHANNEL`")[key]
    text = SMALL.replace("    source: {type: pattern}\n", "") if key == "sources" else SMALL
    parse_config(f"{text}    {key}: {example}", "r.yaml", {"TOKEN_KEY": "a-key-of-some-tokens"})


@pytest.mark.parametrize("kind", ["pattern", "file", "rtmp", "udp", "push", "hls", "cmaf"])
def test_the_examples_of_a_source_can_be_used(kind: str) -> None:
    keys = section(f"`channels.CHANNEL.source` with `type: {kind}`")
    if kind == "hls":
        assert keys["url"].startswith("https://")
    source = ", ".join(f"{key}: {example}" for key, example in keys.items() if key != "type")
    text = SMALL.replace("{type: pattern}", f"{{type: {kind}, {source}}}")
    parse_config(text, "r.yaml", {"STREAM_KEY": "a-key-of-some-encoder"})
