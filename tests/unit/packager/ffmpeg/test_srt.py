from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.config.secret import Secret
from packager.config.sources import SrtSource
from packager.errors import FeedError
from packager.ffmpeg.srt import (
    CallerAccepted,
    CallerRefused,
    SrtFailed,
    SrtMessage,
    SrtWarning,
    read_srt,
    srt_address,
    srt_arguments,
)

NO_SECRET = "one side has a passphrase, the other has none"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[srt @ 0x5641b9b0c300] [verbose] accept streamid [], length 0", CallerAccepted()),
        (
            (
                "19:27:26.5/SRT:RcvQ:w1!W:SRT.cn: processConnectRequest: rsp(REJECT): 1010"
                " - Incorrect passphrase"
            ),
            CallerRefused("the passphrases differ"),
        ),
        (
            (
                "19:27:27.5/SRT:RcvQ:w1!W:SRT.cn: processConnectRequest: rsp(REJECT): 1011"
                " - Password required or unexpected"
            ),
            CallerRefused(NO_SECRET),
        ),
        (
            (
                "19:27:37.8/SRT:RcvQ:w1!W:SRT.cn: @927011299: processAsyncConnectRequest: REJECT"
                " reported from HS processing: Password required or unexpected - not processing"
            ),
            SrtFailed(f"refused: {NO_SECRET}"),
        ),
        (
            (
                "[srt @ 0x56340a79cc40] [error] Failed to resolve hostname nohost.invalid:"
                " Name or service not known"
            ),
            SrtFailed("no such host: name or service not known"),
        ),
        (
            "[in#0 @ 0x559042aa2f00] [error] Error opening input: Address already in use",
            SrtFailed("the port is in use by another program"),
        ),
        (
            "[srt @ 0x55e9] [error] Connection to srt://127.0.0.1:7023 failed: Input/output error",
            SrtFailed("no response from the listener"),
        ),
        ("[in#0/data @ 0x56] [error] Error during demuxing: Input/output error", None),
        ("[fatal] Error opening input files: Odd", SrtWarning("Error opening input files: Odd")),
        ("[verbose] Routing option mode to both codec and muxer layer", None),
        ("", None),
    ],
)
def test_lines_of_ffmpeg_and_its_library(line: str, message: SrtMessage | None) -> None:
    assert read_srt(line) == message


@given(st.text(max_size=50))
def test_any_line_is_read_or_passed_over(line: str) -> None:
    read_srt(line)


def test_a_listener_has_its_latency_in_microseconds_and_no_stream_id() -> None:
    source = SrtSource(port=9000, latency=Fraction(1, 8), passphrase=Secret(b"p" * 16))
    words = srt_arguments(source, 7)
    assert ("-latency", "125000") in pairwise(words)
    assert ("-mode", "listener") in pairwise(words)
    assert ("-passphrase", "p" * 16) in pairwise(words)
    assert "-srt_streamid" not in words
    assert words[-1] == "pipe:7"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("srt://encoder.example:9000", "srt://encoder.example:9000"),
        ("srt://[2001:db8::1]:9000/", "srt://[2001:db8::1]:9000"),
    ],
)
def test_an_address_is_a_host_and_a_port(url: str, address: str) -> None:
    assert srt_address(SrtSource(url=url)) == address


@pytest.mark.parametrize(
    "url",
    [
        "http://a:1",
        "srt://a",
        "srt://:9000",
        "srt://a:99999",
        "srt://[::1:9000",
        "srt://a:1?mode=listener",
        "srt://user@a:1",
    ],
)
def test_an_invalid_address_is_refused(url: str) -> None:
    with pytest.raises(FeedError, match="an SRT address"):
        srt_address(SrtSource(url=url))


def test_a_passphrase_too_long_for_srt_is_refused_without_being_shown() -> None:
    with pytest.raises(FeedError, match="10 to 79 characters") as caught:
        srt_arguments(SrtSource(port=9000, passphrase=Secret(b"p" * 80)), 7)
    assert "ppp" not in str(caught.value)
