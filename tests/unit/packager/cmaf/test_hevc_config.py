from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.cmaf.codecs import hevc_codec
from packager.cmaf.parameter_sets import lacks_parameter_sets, with_parameter_sets
from packager.container.hevc import hevc_configuration
from packager.errors import MediaError

SPS = bytes.fromhex("42010101600000030090000003000003003fa0050201696595")


def test_a_configuration_has_the_fields_of_its_sequence_parameter_set() -> None:
    sets = (b"\x40\x01vps", SPS, b"\x44\x01pps")
    record = hevc_configuration(sets)
    assert record[:23].hex() == "01016000000090000000000" + "03ff000fcfdf8f800000f03"
    assert hevc_codec("hvc1", record).parameter_sets == sets


@pytest.mark.parametrize("sets", [(), (b"\x40\x01vps",), (b"\x42\x01",), (SPS[:14],)])
def test_a_configuration_needs_a_whole_sequence_parameter_set(sets: tuple[bytes, ...]) -> None:
    with pytest.raises(MediaError):
        hevc_configuration(sets)


@given(st.binary(max_size=400))
def test_any_sequence_parameter_set_is_read_or_refused(body: bytes) -> None:
    with suppress(MediaError):
        assert hevc_codec("hvc1", hevc_configuration([b"\x42\x01" + body])).parameter_sets


@given(st.binary(max_size=200))
def test_any_init_section_is_read_or_refused(data: bytes) -> None:
    with suppress(MediaError):
        lacks_parameter_sets(data)
    with suppress(MediaError):
        with_parameter_sets(data, [SPS])
