from hypothesis import given
from hypothesis import strategies as st

from packager.transport.datagrams import (
    SILENCE,
    DatagramFormat,
    DatagramIgnored,
    DatagramReceiver,
    PayloadReceived,
    SenderEnded,
    SenderStarted,
    format_of,
)
from tests.support.rtp import rtp

A = ("10.0.0.1", 5000)
B = ("10.0.0.2", 5000)


def packets(count: int, mark: int = 0) -> bytes:
    return b"".join(b"\x47" + bytes([mark]) * 187 for _ in range(count))


def test_the_format_is_detected_by_the_sync_bytes() -> None:
    assert format_of(packets(7)) is DatagramFormat.PLAIN
    assert format_of(packets(8)[:1472]) is DatagramFormat.PLAIN
    assert format_of(rtp(1, packets(7))) is DatagramFormat.RTP
    assert format_of(rtp(1, packets(7), payload_type=96)) is DatagramFormat.RTP
    for other in (
        b"",
        b"\x47",
        b"\x47" + bytes(500),
        rtp(1, packets(7), payload_type=35),
        rtp(1, bytes(1316), payload_type=96),
        rtp(1, bytes(1316)),
        bytes(1316),
    ):
        assert format_of(other) is None


def test_packets_may_have_bytes_around_them() -> None:
    packet = packets(1)
    for whole in ((bytes(4) + packet) * 7, (packet + bytes(16)) * 7):
        assert format_of(whole) is DatagramFormat.PLAIN
        assert format_of(rtp(1, whole)) is DatagramFormat.RTP


def test_packets_of_another_payload_type_are_left_out() -> None:
    """Forward error correction has a type and an SSRC of its own."""
    reception = DatagramReceiver()
    reception.push(rtp(1, packets(7), payload_type=96), A, 0)
    assert reception.push(rtp(9, bytes(1316), payload_type=97, ssrc=9), A, 1) == []
    assert reception.push(rtp(2, packets(7), payload_type=96), A, 2) == [
        PayloadReceived(packets(7))
    ]
    assert reception.foreign == 1


def test_a_connection_begins_with_the_first_packet_and_ends_in_silence() -> None:
    reception = DatagramReceiver()
    assert reception.push(packets(7), A, 0) == [
        SenderStarted("10.0.0.1:5000"),
        PayloadReceived(packets(7)),
    ]
    assert reception.push(packets(7)[:1000], A, 1_000_000) == [PayloadReceived(packets(7)[:1000])]
    assert reception.deadline == 1_000_000 + SILENCE
    assert reception.due(SILENCE) == []
    assert reception.due(1_000_000 + SILENCE) == [SenderEnded("no packets for 2 s")]
    assert reception.deadline is None
    assert reception.push(packets(1), B, 4_000_000)[0] == SenderStarted("10.0.0.2:5000")


def test_another_sender_is_counted_and_reported_once() -> None:
    reception = DatagramReceiver()
    reception.push(packets(7), A, 0)
    problem = "packets from 10.0.0.2:5000 are ignored: 10.0.0.1:5000 is sending"
    assert reception.push(packets(7), B, 1) == [DatagramIgnored(problem)]
    assert [reception.push(packets(7), B, 2) for _ in range(3)] == [[], [], []]
    assert reception.from_others == 4
    assert reception.due(SILENCE)[-1] == SenderEnded("no packets for 2 s")


def test_only_configured_senders_count() -> None:
    reception = DatagramReceiver(senders={"10.0.0.2"})
    assert reception.push(packets(7), A, 0) == [
        DatagramIgnored("packets from 10.0.0.1:5000 are ignored")
    ]
    assert reception.push(packets(7), B, 0)[0] == SenderStarted("10.0.0.2:5000")


def test_other_datagrams_start_no_connection() -> None:
    reception = DatagramReceiver()
    assert len(reception.push(b"GET / HTTP/1.1\r\n\r\n", A, 0)) == 1
    assert reception.push(b"", A, 0) == []
    assert (reception.foreign, reception.connected) == (2, False)


def test_rtp_payloads_are_in_order_without_headers() -> None:
    reception = DatagramReceiver()
    assert reception.push(rtp(65535, packets(7, 1)), A, 0)[1:] == [PayloadReceived(packets(7, 1))]
    assert reception.push(rtp(1, packets(7, 3)), A, 1) == []
    assert reception.push(rtp(0, packets(7, 2)), A, 2) == [
        PayloadReceived(packets(7, 2)),
        PayloadReceived(packets(7, 3)),
    ]
    assert reception.push(rtp(3, packets(7, 5)), A, 3) == []
    assert reception.deadline == 50_003
    assert reception.due(50_003) == [PayloadReceived(packets(7, 5))]
    reception.end("over")
    assert reception.lost == 1


def test_another_source_of_the_same_sender_is_another_connection() -> None:
    reception = DatagramReceiver()
    reception.push(rtp(1, packets(7, 1)), A, 0)
    assert reception.push(rtp(3, packets(7, 2)), A, 0) == []
    assert reception.push(rtp(9, packets(7, 3), ssrc=8), A, 0) == [
        PayloadReceived(packets(7, 2)),
        SenderEnded("the sender restarted"),
        SenderStarted("10.0.0.1:5000"),
        PayloadReceived(packets(7, 3)),
    ]
    assert reception.push(packets(7), A, 0)[0] == SenderEnded("the sender changed to plain UDP")
    assert reception.push(rtp(1, packets(7)), A, 0)[0] == SenderEnded("the sender changed to RTP")


def test_other_packets_beside_rtp_keep_no_connection_alive() -> None:
    reception = DatagramReceiver()
    reception.push(rtp(1, packets(7)), A, 0)
    for other in (rtp(2, b"", payload_type=72), b"\x80\xc8" + bytes(26), b"", rtp(5, b"x", ssrc=9)):
        assert reception.push(other, A, SILENCE - 1) == []
    assert reception.due(SILENCE) == [SenderEnded("no packets for 2 s")]


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.binary(max_size=400),
                st.integers(1, 8).map(packets),
                st.builds(rtp, st.integers(0, 9), st.integers(0, 3).map(packets)),
                st.builds(rtp, st.integers(0, 65535), st.just(packets(1)), ssrc=st.integers(0, 2)),
            ),
            st.sampled_from([A, B, ("fe80::1", 1, 0, 2)]),
            st.integers(0, SILENCE),
        ),
        max_size=60,
    )
)
def test_for_any_datagrams_starts_and_ends_alternate(
    sent: list[tuple[bytes, tuple[object, ...], int]],
) -> None:
    reception, now, there = DatagramReceiver(), 0, False
    for datagram, sender, later in sent:
        now += later
        for event in [*reception.due(now), *reception.push(datagram, sender, now)]:
            match event:
                case SenderStarted():
                    assert not there
                    there = True
                case SenderEnded():
                    assert there
                    there = False
                case PayloadReceived(data):
                    assert there
                    assert data
                case DatagramIgnored():
                    pass
    assert reception.connected is there
