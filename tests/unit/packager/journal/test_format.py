from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.errors import JournalError
from packager.journal.format import MAX_LINE, VERSION, JournalReader, encode
from packager.timeline.records import Record, SourceEnded, Trimmed
from packager.timing.ticks import UtcMicros
from tests.support.strategies import any_record, journals, split


def line(body: bytes) -> bytes:
    return b"%08x %b\n" % (crc32(body), body)


@given(any_record)
def test_round_trip(record: Record) -> None:
    data = encode(record)
    assert data.count(b"\n") == 1
    reader = JournalReader()
    assert list(reader.feed(data)) == [record]
    assert (reader.offset, reader.damaged) == (len(data), False)


@given(st.lists(any_record, max_size=8), st.data())
def test_any_split_gives_the_same_records(records: list[Record], data: st.DataObject) -> None:
    whole = b"".join(map(encode, records))
    reader = JournalReader()
    found = [record for piece in data.draw(split(whole)) for record in reader.feed(piece)]
    assert found == records
    assert reader.offset == len(whole)


@given(journals())
def test_a_journal_byte_by_byte(records: list[Record]) -> None:
    reader = JournalReader()
    whole = b"".join(map(encode, records[:12]))
    found = [record for byte in whole for record in reader.feed(bytes([byte]))]
    assert found == records[:12]


@given(st.lists(any_record, min_size=1, max_size=3))
def test_cut_anywhere_it_gives_the_whole_records_before(records: list[Record]) -> None:
    lines = [encode(record) for record in records]
    ends = [sum(map(len, lines[: count + 1])) for count in range(len(lines))]
    whole = b"".join(lines)
    for place in range(len(whole) + 1):
        reader = JournalReader()
        found = list(reader.feed(whole[:place]))
        count = sum(end <= place for end in ends)
        assert found == records[:count]
        assert reader.offset == ([0, *ends])[count]
        assert not reader.damaged


@given(st.lists(any_record, min_size=1, max_size=3), st.data())
def test_a_flipped_bit_is_never_another_record(records: list[Record], data: st.DataObject) -> None:
    whole = bytearray(b"".join(map(encode, records)))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    reader = JournalReader()
    found = list(reader.feed(bytes(whole)))
    hit = whole[:place].count(b"\n")
    assert found == records[:hit]
    assert reader.offset == sum(len(encode(record)) for record in records[:hit])
    # The flip may have removed the last line's end: then the line is not complete yet.
    assert reader.damaged or hit == len(records) - 1
    assert not list(reader.feed(encode(records[0])))


@given(st.binary(max_size=300))
def test_any_bytes_are_records_or_damage(data: bytes) -> None:
    reader = JournalReader()
    try:
        list(reader.feed(data))
    except JournalError:
        return
    assert reader.offset <= len(data)


def test_an_end_without_its_source_is_one_of_no_name() -> None:
    assert list(JournalReader().feed(line(b'["end",7]'))) == [SourceEnded(UtcMicros(7), "")]


@pytest.mark.parametrize("version", [0, VERSION + 1])
def test_another_version(version: int) -> None:
    body = b'["header",%d,"tv","48/25"]' % version
    with pytest.raises(JournalError, match=f"journal version {version}, this program reads"):
        list(JournalReader().feed(line(body)))


@pytest.mark.parametrize(
    "body",
    [
        b'["header",1,"tv","48/0"]',
        b'["header",1,"tv","x"]',
        b'["header",1,"tv",1.5]',
        b'["nothing",1]',
        b'["trim"]',
        b"[]",
        b"{}",
        b"",
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_right_checksum_around_nonsense_is_damage(body: bytes) -> None:
    reader = JournalReader()
    assert not list(reader.feed(line(body)))
    assert reader.damaged


def test_a_checksum_is_eight_lower_case_digits() -> None:
    data = encode(Trimmed(7))
    for wrong in (data[:8].upper() + data[8:], b"0" + data, data[:8] + b" " + data[8:]):
        if wrong != data:
            reader = JournalReader()
            assert not list(reader.feed(wrong))
            assert reader.damaged


def test_a_line_too_long_is_damage_in_any_split() -> None:
    data = encode(SourceEnded(UtcMicros(1)))
    whole = line(data[9:-1].replace(b",", b"," + b" " * MAX_LINE))
    for size in (1 << 20, 1000):
        reader = JournalReader()
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert not [record for piece in pieces for record in reader.feed(piece)]
        assert reader.damaged


def test_a_line_without_end_is_damage() -> None:
    reader = JournalReader()
    assert not list(reader.feed(b"x" * MAX_LINE))
    assert not reader.damaged
    assert not list(reader.feed(b"x"))
    assert reader.damaged
