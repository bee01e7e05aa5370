import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import DecodeError

from packager.diagnostics.status import ChannelState, ChannelStatus, decode, encode


@given(st.builds(ChannelStatus, speed=st.none() | st.floats(0, 100)))
def test_round_trip(status: ChannelStatus) -> None:
    assert decode(encode(status)) == status


@given(st.binary())
def test_any_bytes_are_a_status_or_refused(data: bytes) -> None:
    try:
        decode(data)
    except DecodeError:
        return


def test_a_missing_field_is_named() -> None:
    with pytest.raises(DecodeError, match="source"):
        decode(b'{"state":"live","since":1}')
    assert decode(encode(status())).state is ChannelState.LIVE


def status() -> ChannelStatus:
    return ChannelStatus(state=ChannelState.LIVE, since=1, source="pattern", ladder="demo")
