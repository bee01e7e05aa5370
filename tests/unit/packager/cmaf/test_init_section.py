from fractions import Fraction
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.cmaf.boxes import find
from packager.cmaf.codecs import Codec, aac_codec, avc_codec, hevc_codec
from packager.cmaf.demuxer import Demuxer, Init
from packager.cmaf.init_section import InitFacts, read_init
from packager.cmaf.parameter_sets import changed
from packager.cmaf.samples import SYNC_FLAGS, SampleRun
from packager.cmaf.splitter import InitSection, Splitter
from packager.errors import FeedError, MediaError
from packager.track import TrackKind
from tests.paths import CORPUS

NAMES = ["avc", "hevc", "aac", "ac3", "eac3"]


def stream(name: str) -> bytes:
    return (CORPUS / "cmaf" / f"{name}.mp4").read_bytes()


def section(name: str) -> bytes:
    event = next(Splitter().feed(stream(name)))
    assert isinstance(event, InitSection)
    return bytes(event.data)


def facts(name: str) -> InitFacts:
    return read_init(section(name))


@pytest.mark.parametrize(
    ("name", "kind", "timescale", "codec", "size", "sound", "language"),
    [
        ("avc", TrackKind.VIDEO, 12_800, "avc1.64000a", (64, 36), (0, 0), "und"),
        ("hevc", TrackKind.VIDEO, 12_800, "hvc1.1.6.L30.90", (64, 36), (0, 0), "und"),
        ("aac", TrackKind.AUDIO, 48_000, "mp4a.40.2", (0, 0), (48_000, 2), "eng"),
        ("ac3", TrackKind.AUDIO, 48_000, "ac-3", (0, 0), (48_000, 2), "und"),
        ("eac3", TrackKind.AUDIO, 48_000, "ec-3", (0, 0), (48_000, 2), "und"),
    ],
)
def test_facts(
    name: str,
    kind: TrackKind,
    timescale: int,
    codec: str,
    size: tuple[int, int],
    sound: tuple[int, int],
    language: str,
) -> None:
    found = facts(name)
    assert (found.kind, found.timescale, found.codec.string) == (kind, timescale, codec)
    assert ((found.width, found.height), (found.sample_rate, found.channels)) == (size, sound)
    assert found.language == language


@pytest.mark.parametrize(
    ("across", "down", "expected"),
    [(4, 3, Fraction(4, 3)), (1, 1, 1), (64, 45, Fraction(64, 45)), (0, 1, 1), (1, 0, 1)],
)
def test_pixels_need_not_be_square(across: int, down: int, expected: Fraction) -> None:
    data = section("avc")
    aspect = data.index(b"pasp") + 4
    changed = data[:aspect] + pack(">II", across, down) + data[aspect + 8 :]
    assert read_init(data).sample_aspect == 1
    assert read_init(changed).sample_aspect == expected


def test_smooth_private_data_of_avc() -> None:
    """A start code before each of SPS and PPS, and nothing else (MS-SSTR 2.2.2.5)."""
    codec = facts("avc").codec
    sps, pps = codec.parameter_sets
    assert (sps[0] & 31, pps[0] & 31) == (7, 8)
    assert codec.private == b"\0\0\0\1" + sps + b"\0\0\0\1" + pps


def test_smooth_private_data_of_aac() -> None:
    assert facts("aac").codec.private.hex().startswith("1190")


def test_hevc_has_its_three_parameter_sets() -> None:
    kinds = [unit[0] >> 1 & 63 for unit in facts("hevc").codec.parameter_sets]
    assert kinds == [32, 33, 34]


@pytest.mark.parametrize("name", NAMES)
def test_cut_short_anywhere_it_is_refused(name: str) -> None:
    data = section(name)
    for place in range(len(data)):
        with pytest.raises(MediaError):
            read_init(data[:place])


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_a_mangled_section_is_read_or_refused(name: str, data: st.DataObject) -> None:
    mangled = bytearray(section(name))
    for _ in range(data.draw(st.integers(1, 4))):
        mangled[data.draw(st.integers(0, len(mangled) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read_init(bytes(mangled))
    except MediaError:
        return
    assert found.timescale > 0
    assert found.codec.string.isprintable()


@pytest.mark.parametrize("name", NAMES)
def test_every_byte_of_a_section_may_be_wrong(name: str) -> None:
    good = section(name)
    for place in range(len(good)):
        for value in (0, 0xFF, good[place] ^ 1):
            mangled = good[:place] + bytes([value]) + good[place + 1 :]
            try:
                read_init(mangled)
            except MediaError as error:
                assert str(error).isprintable()


def test_a_timescale_of_zero_is_refused() -> None:
    data = bytearray(section("avc"))
    mdhd = find(data, 0, len(data), b"moov", b"trak", b"mdia", b"mdhd")
    data[mdhd.body + 12 : mdhd.body + 16] = bytes(4)
    with pytest.raises(MediaError, match="timescale 0"):
        read_init(bytes(data))


def test_a_codec_that_cannot_be_packaged() -> None:
    with pytest.raises(MediaError, match="codec vp09 cannot be packaged"):
        read_init(section("avc").replace(b"avc1\0\0", b"vp09\0\0"))


# The records of the codecs.


def test_avc() -> None:
    config = bytes.fromhex("01 42c01e ff e1 0003 674201 01 0002 68ce")
    codec = avc_codec("avc3", config)
    assert codec.string == "avc3.42c01e"
    assert codec.parameter_sets == (b"\x67\x42\x01", b"\x68\xce")
    for place in range(len(config)):
        with pytest.raises(MediaError):
            avc_codec("avc3", config[:place])


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        # ISO/IEC 14496-15 annex E.3: Main profile, compatible with Main and Main 10, Main tier 3.1.
        ("01 01 60000000 b00000000000 5d", "hev1.1.6.L93.B0"),
        ("01 22 20000000 900000000000 99", "hev1.2.4.H153.90"),
        ("01 41 60000000 000000000000 1e", "hev1.A1.6.L30"),
        ("01 01 60000000 90000000000a 1e", "hev1.1.6.L30.90.0.0.0.0.A"),
    ],
)
def test_hevc(head: str, expected: str) -> None:
    config = bytes.fromhex(head) + bytes(9) + b"\0"
    assert hevc_codec("hev1", config).string == expected


@pytest.mark.parametrize(
    ("descriptors", "expected"),
    [
        # Descriptor sizes in one byte, and in four as ffmpeg writes them (14496-1 section 8.3.3).
        ("03 16 0001 00 04 11 40 15 000000 00000000 00000000 05 02 1190", "mp4a.40.2"),
        (
            "03 80808022 0001 00 04 80808014 40 15 000000 00000000 00000000 05 80808002 2b92",
            "mp4a.40.5",
        ),
        # Object type 42, by the escape (14496-3 section 1.6.2.1).
        ("03 16 0001 00 04 11 40 15 000000 00000000 00000000 05 02 f940", "mp4a.40.42"),
        # With a dependency, an OCR and a URL before the decoder's descriptor.
        (
            "03 1d 0001 e0 0007 02 6162 0009 04 11 40 15 000000 00000000 00000000 05 02 1190",
            "mp4a.40.2",
        ),
    ],
)
def test_aac(descriptors: str, expected: str) -> None:
    data = bytes.fromhex(descriptors)
    assert aac_codec(data).string == expected


@given(st.binary(max_size=60))
def test_any_bytes_are_a_codec_or_refused(data: bytes) -> None:
    for read in (
        lambda: avc_codec("avc1", data),
        lambda: hevc_codec("hvc1", data),
        lambda: aac_codec(data),
    ):
        try:
            assert read().string.isprintable()
        except MediaError:
            continue


# Parameter sets in the samples.

SPS, PPS, IDR = b"\x67one", b"\x68two", b"\x65" + bytes(40)
AVC = Codec("avc1.64001f", b"", (SPS, PPS))
HEVC = Codec("hvc1.1.6.L93.B0", b"", (b"\x42\x01one",))


def sample(*units: bytes, length: int | None = None) -> SampleRun:
    data = b"".join(len(unit).to_bytes(4) + unit for unit in units)
    size = len(data) if length is None else length
    return SampleRun(0, [1], [size], [SYNC_FLAGS], [0], data)


@pytest.mark.parametrize(
    ("run", "codec", "expected"),
    [
        (sample(IDR), AVC, False),
        (sample(SPS, PPS, IDR), AVC, False),
        (sample(b"\x67other", PPS, IDR), AVC, True),
        (sample(b"\x09\x10", b"\x67other", IDR), AVC, True),
        (sample(SPS, b"\x68other", IDR), AVC, False),
        (sample(b"\x42\x01one", b"\x26\x01"), HEVC, False),
        (sample(b"\x42\x01other", b"\x26\x01"), HEVC, True),
        (sample(b"\x67other", IDR, length=3), AVC, False),
        (sample(b"\x67other", IDR, length=0), AVC, False),
        (sample(*[b"\x06"] * 100, b"\x67other"), AVC, False),
    ],
)
def test_changed(run: SampleRun, codec: Codec, *, expected: bool) -> None:
    assert changed(run, codec) is expected


@given(st.binary(max_size=100), st.integers(0, 100))
def test_any_sample_has_changed_or_not(data: bytes, size: int) -> None:
    run = SampleRun(0, [1], [min(size, len(data))], [SYNC_FLAGS], [0], data)
    for codec in (AVC, HEVC):
        assert changed(run, codec) in (True, False)


# The demuxer.


@pytest.mark.parametrize("name", NAMES)
def test_demuxed(name: str) -> None:
    first, *following = Demuxer(watch_parameters=True).feed(stream(name))
    assert isinstance(first, Init)
    assert (bytes(first.data), first.facts) == (section(name), facts(name))
    assert len(first.version) == 8
    assert all(isinstance(item, SampleRun) for item in following)
    assert len(following) == 1


def test_equal_sections_have_an_equal_version() -> None:
    versions = {name: next(Demuxer(watch_parameters=False).feed(stream(name))) for name in NAMES}
    assert len({item.version for item in versions.values() if isinstance(item, Init)}) == len(NAMES)
    again = next(Demuxer(watch_parameters=False).feed(stream("avc")))
    assert again == versions["avc"]


def test_a_second_section() -> None:
    with pytest.raises(FeedError, match="parameters changed: a second init section"):
        list(Demuxer(watch_parameters=False).feed(stream("avc") * 2))


def test_samples_before_the_section() -> None:
    with pytest.raises(MediaError, match="no moov before it"):
        list(Demuxer(watch_parameters=False).feed(stream("avc")[len(section("avc")) :]))


def test_other_parameter_sets_in_the_samples_are_found() -> None:
    data = stream("avc")
    sps = facts("avc").codec.parameter_sets[0]
    other = section("avc").replace(sps, sps[:-1] + b"\0")
    inside = len(sps).to_bytes(4) + sps
    rest = data[len(other) :]
    if inside not in rest:
        payload = rest.index(b"mdat") + 4
        rest = rest[:payload] + inside + rest[payload + len(inside) :]
    with pytest.raises(FeedError, match="the feed's parameters changed"):
        list(Demuxer(watch_parameters=True).feed(other + rest))
    assert list(Demuxer(watch_parameters=False).feed(other + rest))


def test_frame_rates_are_no_business_of_a_section() -> None:
    assert not hasattr(facts("avc"), "frame_rate")
    assert Fraction(facts("avc").timescale, 512) == 25
