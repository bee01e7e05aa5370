"""What players say of themselves with their requests: Common Media Client Data (CTA-5004).

It comes in the query argument `CMCD` or in four headers, as items with a comma between them:

    bl=21300,bs,mtp=25500,ot=v,sid="6e2fb550-c457-11e9"

Version 2 says some of it as a list, one value a kind of media: `bl=(21300;v 19900;a)`. The least
counts then: what runs dry first is what is missed.

Nothing here trusts it. What is unknown, broken or beyond reason is left out, item by item; what is
too long is left out as a whole. Of an item that comes twice the last counts, and what a header says
counts before what the query says.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote_plus

ARGUMENT = "CMCD"
"""The query argument."""
HEADERS = ("cmcd-object", "cmcd-request", "cmcd-session", "cmcd-status")
"""In lower case. Of an item that two of them have, the later one's counts."""
LONGEST = 4096
"""Characters of the argument and of each header: players send some hundred."""
_MOST_ITEMS = 64
"""Both versions together know fewer keys."""
_LONGEST_SESSION = 64
"""Characters, as CTA-5004 has it."""
_LONGEST_LIST = 128
"""Characters."""
_LONGEST_TIME = 24 * 3600 * 1000
"""Milliseconds: no buffer is longer."""
_HIGHEST_RATE = 10_000_000
"""kbit/s."""

# A comma within a string separates nothing; a string without an end takes all that follows. Nothing
# is ever tried twice: what is hostile takes no longer than what is long.
_ITEM = re.compile(r'(?:[^",]++|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z))++', re.DOTALL)
_STRING = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*+)"')
_WHOLE = re.compile(r"[0-9]{1,15}")
_ESCAPED = re.compile(r"\\(.)")

_FORMATS = frozenset({"d", "h", "s", "o"})
_STREAMS = frozenset({"v", "l", "ll"})
_OBJECTS = frozenset({"m", "a", "v", "av", "i", "c", "tt", "k", "o"})
_KEYS = frozenset(
    {"bl", "br", "bs", "dl", "msd", "mtp", "ot", "rtp", "sf", "sid", "st", "su"},
)
_YES = "?1"
"""What a key without a value stands for."""


@dataclass(frozen=True, slots=True)
class Cmcd:
    """What a request says of its player; None or empty where it says nothing."""

    starved: bool = False
    """`bs`: the buffer ran dry since the request before."""
    startup: bool = False
    """`su`: the object is needed at once: to start, to seek, or because the buffer ran dry."""
    buffer: int | None = None
    """`bl`, milliseconds of media that are there to be played."""
    throughput: int | None = None
    """`mtp`, kbit/s, as the player measured it."""
    start_delay: int | None = None
    """`msd` of version 2, milliseconds from the wish to play to the first picture."""
    deadline: int | None = None
    """`dl`, milliseconds until the object must be there."""
    bitrate: int | None = None
    """`br`, kbit/s of the object."""
    requested: int | None = None
    """`rtp`, kbit/s that the player asks to be served with, at most."""
    session: str = ""
    """`sid`, one playback."""
    format: str = ""
    """`sf`: d DASH, h HLS, s Smooth, o another."""
    stream: str = ""
    """`st`: l live, ll live with low latency, v on demand."""
    object: str = ""
    """`ot`: m manifest, a sound, v picture, av both, i init section, c captions, tt text, k key,
    o another."""


_NOTHING = Cmcd()


def argument(raw_query: str) -> str | None:
    """The value of the query argument `CMCD`, decoded; the last where there are several."""
    _, there, rest = f"&{raw_query}".rpartition(f"&{ARGUMENT}=")
    if not there:
        return None
    # Some write a space as %20, some as a plus sign; a plus sign itself comes as %2B.
    return unquote_plus(rest.partition("&")[0])


def parse(query_value: str | None, headers: Mapping[str, str]) -> Cmcd | None:
    """What a request says of its player; None where that is nothing that can be read.

    `query_value` is the argument's decoded value; names in `headers` are in lower case.
    """
    said: dict[str, str] = {}
    if query_value:
        said.update(_items(query_value))
    for name in HEADERS:
        if text := headers.get(name):
            said.update(_items(text))
    if not said:
        return None
    found = Cmcd(
        starved=said.get("bs") == _YES,
        startup=said.get("su") == _YES,
        buffer=_least(said.get("bl"), _LONGEST_TIME),
        throughput=_least(said.get("mtp"), _HIGHEST_RATE),
        start_delay=_least(said.get("msd"), _LONGEST_TIME),
        deadline=_least(said.get("dl"), _LONGEST_TIME),
        bitrate=_least(said.get("br"), _HIGHEST_RATE),
        requested=_least(said.get("rtp"), _HIGHEST_RATE),
        session=_text(said.get("sid")),
        format=_one_of(_FORMATS, said.get("sf")),
        stream=_one_of(_STREAMS, said.get("st")),
        object=_one_of(_OBJECTS, said.get("ot")),
    )
    return None if found == _NOTHING else found


def _items(text: str) -> Iterator[tuple[str, str]]:
    """Keys that are known, each with its value as it is written."""
    if len(text) > LONGEST:
        return
    for match in islice(_ITEM.finditer(text), _MOST_ITEMS):
        key, there, value = match[0].partition("=")
        key = key.strip()
        if key in _KEYS:
            yield key, value.strip() if there else _YES


def _least(value: str | None, most: int) -> int | None:
    """The whole number, or the least of a list of them, if it is within reason."""
    if value is None:
        return None
    if _WHOLE.fullmatch(value):
        return number if (number := int(value)) <= most else None
    is_list = value[:1] == "(" and value[-1:] == ")" and len(value) <= _LONGEST_LIST
    inside = value[1:-1].split() if is_list else [value]
    numbers = [item.partition(";")[0] for item in inside]
    if not numbers or not all(map(_WHOLE.fullmatch, numbers)):
        return None
    least = min(map(int, numbers))
    return least if least <= most else None


def _text(value: str | None) -> str:
    if value is None or len(value) > 2 * _LONGEST_SESSION + len('""'):
        return ""
    match = _STRING.fullmatch(value)
    text = _ESCAPED.sub(r"\1", match[1]) if match else ""
    return text if len(text) <= _LONGEST_SESSION else ""


def _one_of(words: frozenset[str], value: str | None) -> str:
    return value if value is not None and value in words else ""
