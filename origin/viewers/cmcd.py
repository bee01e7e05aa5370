"""Parsing of Common Media Client Data (CMCD, CTA-5004): reports of players in their requests.

A report is in the query argument `CMCD` or in four headers, as items separated by commas:

    bl=21300,bs,mtp=25500,ot=v,sid="6e2fb550-c457-11e9"

Version 2 has lists for some keys, with a value for each kind of media: `bl=(21300;v 19900;a)`. The
lowest value is used, since the emptiest buffer stalls the player.

Reports are untrusted. An unknown, broken or implausible item is ignored; a long report is ignored
as a whole. The last of repeated items is used, and headers take precedence over the query.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote_plus

ARGUMENT = "CMCD"
"""The query argument."""
HEADERS = ("cmcd-object", "cmcd-request", "cmcd-session", "cmcd-status")
"""In lower case. A later header takes precedence."""
LONGEST = 4096
"""Characters of the argument and of each header; players send a few hundred."""
_MOST_ITEMS = 64
"""Both versions together have fewer keys."""
_LONGEST_SESSION = 64
"""Characters, by CTA-5004."""
_LONGEST_LIST = 128
"""Characters."""
_LONGEST_TIME = 24 * 3600 * 1000
"""Milliseconds; no buffer is longer."""
_HIGHEST_RATE = 10_000_000
"""kbit/s."""

# A comma inside a string does not separate; an unterminated string takes the rest. The expression
# never backtracks, so the time is linear in the length.
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
"""Value of a key without one."""


@dataclass(frozen=True, slots=True)
class Cmcd:
    """The report of one request; None or empty for absent items."""

    starved: bool = False
    """`bs`: the buffer ran empty since the previous request."""
    startup: bool = False
    """`su`: the object is needed at once: to start, to seek, or because the buffer ran empty."""
    buffer: int | None = None
    """`bl`, milliseconds of media in the buffer."""
    throughput: int | None = None
    """`mtp`, kbit/s, as the player measured it."""
    start_delay: int | None = None
    """`msd` of version 2, milliseconds from the start of playback to the first frame."""
    deadline: int | None = None
    """`dl`, milliseconds until the object is needed."""
    bitrate: int | None = None
    """`br`, kbit/s of the object."""
    requested: int | None = None
    """`rtp`, the maximum throughput that the player requests, kbit/s."""
    session: str = ""
    """`sid`, one playback."""
    format: str = ""
    """`sf`: d DASH, h HLS, s Smooth, o another."""
    stream: str = ""
    """`st`: l live, ll live with low latency, v on demand."""
    object: str = ""
    """`ot`: m manifest, a audio, v video, av both, i init section, c captions, tt text, k key,
    o another."""


_NOTHING = Cmcd()


def argument(raw_query: str) -> str | None:
    """The decoded value of the query argument `CMCD`; the last one if repeated."""
    _, there, rest = f"&{raw_query}".rpartition(f"&{ARGUMENT}=")
    if not there:
        return None
    # A space is %20 or a plus sign, depending on the player; a plus sign is %2B.
    return unquote_plus(rest.partition("&")[0])


def parse(query_value: str | None, headers: Mapping[str, str]) -> Cmcd | None:
    """The report of a request; None without a readable item.

    `query_value` is the argument's decoded value; names in `headers` are in lower case.
    """
    items: dict[str, str] = {}
    if query_value:
        items.update(_items(query_value))
    for name in HEADERS:
        if text := headers.get(name):
            items.update(_items(text))
    if not items:
        return None
    found = Cmcd(
        starved=items.get("bs") == _YES,
        startup=items.get("su") == _YES,
        buffer=_least(items.get("bl"), _LONGEST_TIME),
        throughput=_least(items.get("mtp"), _HIGHEST_RATE),
        start_delay=_least(items.get("msd"), _LONGEST_TIME),
        deadline=_least(items.get("dl"), _LONGEST_TIME),
        bitrate=_least(items.get("br"), _HIGHEST_RATE),
        requested=_least(items.get("rtp"), _HIGHEST_RATE),
        session=_text(items.get("sid")),
        format=_one_of(_FORMATS, items.get("sf")),
        stream=_one_of(_STREAMS, items.get("st")),
        object=_one_of(_OBJECTS, items.get("ot")),
    )
    return None if found == _NOTHING else found


def _items(text: str) -> Iterator[tuple[str, str]]:
    """Known keys with their undecoded values."""
    if len(text) > LONGEST:
        return
    for match in islice(_ITEM.finditer(text), _MOST_ITEMS):
        key, there, value = match[0].partition("=")
        key = key.strip()
        if key in _KEYS:
            yield key, value.strip() if there else _YES


def _least(value: str | None, most: int) -> int | None:
    """The whole number, or the lowest of a list, if it is at most `most`."""
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
