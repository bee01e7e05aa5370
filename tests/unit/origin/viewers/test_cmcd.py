from random import Random
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.viewers.cmcd import HEADERS, LONGEST, Cmcd, argument, parse

SPOKEN = 'bl=21300,br=3200,bs,cid="x",d=4004,dl=18500,mtp=48100,nor="..%2F300kbps%2Ftrack.m4v"'
"""Like the examples of CTA-5004."""

printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=64)
times = st.none() | st.integers(0, 24 * 3600 * 1000)
rates = st.none() | st.integers(0, 10_000_000)
reports = st.builds(
    Cmcd,
    starved=st.booleans(),
    startup=st.booleans(),
    buffer=times,
    throughput=rates,
    start_delay=times,
    deadline=times,
    bitrate=rates,
    requested=rates,
    session=printable,
    format=st.sampled_from(["", "d", "h", "s", "o"]),
    stream=st.sampled_from(["", "v", "l", "ll"]),
    object=st.sampled_from(["", "m", "a", "v", "av", "i", "c", "tt", "k", "o"]),
)
UNKNOWN = ('cid="a,b=1"', "pr=1.08", "v=1", "com.example-x=?0", 'nor=("a,b" "c")', "d=1")
BROKEN = ("bl", "ot=zz", "sid=a", "mtp=-1")
others = st.lists(st.sampled_from(UNKNOWN + BROKEN), max_size=4)


def items(cmcd: Cmcd) -> list[str]:
    escaped = cmcd.session.replace("\\", "\\\\").replace('"', '\\"')
    numbers = {
        "bl": cmcd.buffer,
        "mtp": cmcd.throughput,
        "msd": cmcd.start_delay,
        "dl": cmcd.deadline,
        "br": cmcd.bitrate,
        "rtp": cmcd.requested,
    }
    words = {"sf": cmcd.format, "st": cmcd.stream, "ot": cmcd.object}
    return [
        *(["bs"] if cmcd.starved else []),
        *(["su=?1"] if cmcd.startup else []),
        *(f"{key}={value}" for key, value in numbers.items() if value is not None),
        *(f"{key}={value}" for key, value in words.items() if value),
        *([f'sid="{escaped}"'] if cmcd.session else []),
    ]


@given(reports, others, st.randoms(), st.sampled_from([",", ", ", ",,"]))
def test_written_cmcd_is_read_back(cmcd: Cmcd, more: list[str], chance: Random, comma: str) -> None:
    written = items(cmcd)
    chance.shuffle(written)
    # Unknown and broken keys are first, since the last of two equal keys counts.
    text = comma.join([*more, *written])
    expected = cmcd if cmcd != Cmcd() else None
    assert parse(text, {}) == expected
    assert parse(argument(f"a=1&CMCD={quote(text, safe='')}&b"), {}) == expected
    for name in HEADERS:
        assert parse(None, {name: text, "cmcd-other": "bs"}) == expected


@given(reports, reports)
def test_headers_count_before_the_query(first: Cmcd, second: Cmcd) -> None:
    header = {"cmcd-request": ",".join(items(second))}
    if not header["cmcd-request"]:
        return
    read = parse(",".join(items(first)), header)
    assert read == parse(",".join(items(first) + items(second)), {})


@given(
    st.none() | st.text(max_size=200),
    st.dictionaries(st.sampled_from(HEADERS), st.text(alphabet='"\\,=()bls;?u\0é1 ', max_size=200)),
)
def test_any_cmcd_gives_bounded_values(query: str | None, headers: dict[str, str]) -> None:
    read = parse(query, headers)
    if read is not None:
        assert read != Cmcd()
        assert len(read.session) <= 64
        assert read.session.isascii()
        assert read.buffer is None or 0 <= read.buffer <= 24 * 3600 * 1000


@given(st.text(max_size=200) | st.text(alphabet="CMD=&%+2Cbl1", max_size=200))
def test_any_query_has_an_argument_or_none(query: str) -> None:
    found = argument(query)
    named = [part for part in query.split("&") if part.startswith("CMCD=")]
    assert (found is not None) == bool(named)


def test_an_example() -> None:
    assert parse(SPOKEN, {}) == Cmcd(
        starved=True, buffer=21300, bitrate=3200, deadline=18500, throughput=48100
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bl=(21300;v 19900;a)", Cmcd(buffer=19900)),
        ("mtp=(25400)", Cmcd(throughput=25400)),
        ("bl=4000;v", Cmcd(buffer=4000)),
        ("bs=?0,su", Cmcd(startup=True)),
        ('sid="a,bs,b"', Cmcd(session="a,bs,b")),
        (r'sid="a\"b\\"', Cmcd(session='a"b\\')),
        ("bl=1,bl=2", Cmcd(buffer=2)),
        ("bs,bs=?0,bl=1", Cmcd(buffer=1)),
        (" bl = 1 , bs", Cmcd(starved=True, buffer=1)),
    ],
)
def test_forms(text: str, expected: Cmcd) -> None:
    assert parse(text, {}) == expected


@pytest.mark.parametrize(
    "broken",
    [
        *("bl=-1", "bl=1.5", "bl=1e3", "bl=٣", "bl=", "bl", "bl=()", "bl=(1 x)", "bl=9999999999"),
        *("mtp=10000001", "bl=1111111111111111", "bl=true", "bs=1", "bs=?0", "su=yes", 'bl="1"'),
        *("sid=a", 'sid="a', r'sid="a\b"', 'sid="é"', 'sid=""', f'sid="{"a" * 65}"', 'sid="a"b'),
        *("ot=x", 'ot="v"', "sf=H", "st=", "bl=1_0", "=1", "", ",", '"', '\\"', "BL=1"),
    ],
)
def test_broken_cmcd_is_ignored(broken: str) -> None:
    assert parse(broken, {}) is None
    assert parse(f"br=800,{broken}", {}) == Cmcd(bitrate=800)


def test_too_long_cmcd_is_ignored() -> None:
    filler = "x" * (LONGEST - 3)
    assert parse(f"bs,{filler}", {}) == Cmcd(starved=True)
    assert parse(f"bs,{filler}x", {}) is None
    assert parse(",".join(["x=1"] * 64 + ["bs"]), {}) is None
    assert parse(None, {"cmcd-status": f"bs,{filler}x", "cmcd-object": "br=1"}) == Cmcd(bitrate=1)


def test_the_last_header_counts() -> None:
    both = {"cmcd-status": "bl=2", "cmcd-object": "bl=1"}
    assert parse(None, both) == Cmcd(buffer=2)
    assert parse(None, {}) is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("CMCD=bs&CMCD=su", "su"),
        ("CMCD=a%2Cb+c%20d%2B", "a,b c d+"),
        ("cmcd=bs", None),
        ("XCMCD=bs", None),
        ("", None),
        ("CMCD", None),
        ("CMCD=&a", ""),
        ("CMCD=a=b", "a=b"),
        ("CMCD=%ff%zz", "�%zz"),
    ],
)
def test_arguments(query: str, expected: str | None) -> None:
    assert argument(query) == expected
