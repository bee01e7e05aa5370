"""The DASH schema and the extra rules accept correct MPDs and reject wrong ones."""

import re
from collections.abc import Callable

import pytest
from lxml import etree

from tests.paths import GOLDEN
from tests.support.dash_rules import PATCH_RULES, RULES, Rule
from tests.support.dash_schema import check_dash, dash_schema

LIVE = """
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:cenc="urn:mpeg:cenc:2013"
     profiles="urn:mpeg:dash:profile:isoff-live:2011" type="dynamic" id="tv"
     availabilityStartTime="1970-01-01T00:00:00Z" publishTime="2026-01-01T00:00:10Z"
     minimumUpdatePeriod="PT2S" minBufferTime="PT2S" timeShiftBufferDepth="PT1M"
     suggestedPresentationDelay="PT8S" maxSegmentDuration="PT2.1S">
  <ProgramInformation lang="en"><Title>Harbour</Title></ProgramInformation>
  <BaseURL serviceLocation="a">https://a.example/</BaseURL>
  <Location>live.mpd</Location>
  <PatchLocation ttl="60">live.mpp</PatchLocation>
  <ServiceDescription id="0">
    <Latency target="960" max="2880" min="640"/>
    <PlaybackRate min="0.96" max="1.04"/>
  </ServiceDescription>
  <Period id="p0" start="PT10S" duration="PT4S">
    <EventStream schemeIdUri="urn:scte:scte35:2013:xml" timescale="1000">
      <Event presentationTime="500" duration="1000" id="1"><any/></Event>
    </EventStream>
    <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true"
                   startWithSAP="1" par="16:9">
      <ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="cenc"
                         cenc:default_KID="00000000-0000-0000-0000-000000000001">
        <cenc:pssh>AAAA</cenc:pssh>
      </ContentProtection>
      <EssentialProperty schemeIdUri="urn:example:essential"/>
      <SupplementalProperty schemeIdUri="urn:example:more" value="1"/>
      <InbandEventStream schemeIdUri="urn:mpeg:dash:event:2012" value="1"/>
      <Label lang="en">Main camera</Label>
      <ProducerReferenceTime id="0" type="encoder" wallClockTime="2026-01-01T00:00:00Z"
                             presentationTime="1000"/>
      <Accessibility schemeIdUri="urn:tva:metadata:cs:AudioPurposeCS:2007" value="1"/>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <Representation id="v0" bandwidth="2000000" codecs="avc1.64001e" width="640" height="360"
                      sar="1:1" frameRate="30000/1001">
        <SegmentTemplate timescale="1000" presentationTimeOffset="1000" startNumber="5"
                         endNumber="6" initialization="$RepresentationID$/init.mp4"
                         media="$RepresentationID$/$Number%05d$.m4s">
          <SegmentTimeline><S t="1000" d="2000" r="1"/></SegmentTimeline>
        </SegmentTemplate>
      </Representation>
      <Representation id="v1" bandwidth="1000000" codecs="avc1.64001e" width="320" height="180">
        <SegmentTemplate timescale="500" presentationTimeOffset="500" startNumber="5"
                         initialization="$RepresentationID$/init.mp4"
                         media="$RepresentationID$/$Number$.m4s">
          <SegmentTimeline><S t="500" d="1000"/><S d="1000"/></SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
  </Period>
  <Period id="p1" start="PT20S">
    <AdaptationSet id="1" contentType="audio" mimeType="audio/mp4" lang="en" startWithSAP="1">
      <Resync type="1" dT="320"/>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <SegmentTemplate timescale="1000" duration="2000" startNumber="10"
                       availabilityTimeOffset="1.6" availabilityTimeComplete="false"
                       presentationTimeOffset="20000"
                       initialization="$RepresentationID$/init.mp4"
                       media="$RepresentationID$/$Number$.m4s"/>
      <Representation id="a0" bandwidth="128000" codecs="mp4a.40.2" audioSamplingRate="48000">
        <AudioChannelConfiguration value="2"
          schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011"/>
      </Representation>
    </AdaptationSet>
  </Period>
  <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="time"/>
</MPD>"""
PATCH = """
<Patch xmlns="urn:mpeg:dash:schema:mpd-patch:2020" mpdId="tv"
       originalPublishTime="2026-01-01T00:00:08Z" publishTime="2026-01-01T00:00:10Z">
  <replace sel="/MPD/@publishTime">2026-01-01T00:00:10Z</replace>
  <replace sel="/MPD/PatchLocation[1]"><PatchLocation>next.mpp</PatchLocation></replace>
  <add sel="/MPD/Period[@id='p0']/AdaptationSet[@id='1']/SegmentTemplate/SegmentTimeline">
    <S d="2000"/>
  </add>
  <remove sel="/MPD/Period[1]"/>
</Patch>"""
VIDEO = 'id="v0" bandwidth="2000000"'
AUDIO = 'id="a0" bandwidth="128000"'
TIMELINE = '<S t="1000" d="2000" r="1"/>'
SECOND = '<S t="500" d="1000"/><S d="1000"/>'


def parsed(text: str) -> etree._Element:
    return etree.fromstring(text.strip())


def edited(text: str, old: str, new: str) -> etree._Element:
    """`text` with `old`, which stands in it once, in another way."""
    assert text.count(old) == 1, old
    return parsed(text.replace(old, new))


@pytest.mark.parametrize("text", [LIVE, PATCH])
def test_valid_mpds_are_accepted(text: str) -> None:
    check_dash(parsed(text))


@pytest.mark.parametrize(
    "name", sorted(str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*.mpd"))
)
def test_golden_mpds_are_valid(name: str) -> None:
    check_dash(etree.parse(GOLDEN / name).getroot())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Attributes that have to be there.
        (' profiles="urn:mpeg:dash:profile:isoff-live:2011"', ""),
        (' minBufferTime="PT2S"', ""),
        (' bandwidth="128000"', ""),
        ('id="v0" ', ""),
        ('<S d="1000"/>', "<S/>"),
        ('<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014"', "<UTCTiming"),
        (' presentationTime="1000"/>', "/>"),
        # Values of a wrong type.
        ('minBufferTime="PT2S"', 'minBufferTime="2"'),
        ('minBufferTime="PT2S"', 'minBufferTime="-PT2S"'),
        ('publishTime="2026-01-01T00:00:10Z"', 'publishTime="2026-01-01 00:00:10"'),
        ('type="dynamic"', 'type="live"'),
        ('startNumber="10"', 'startNumber="-10"'),
        ('timescale="500"', 'timescale="0"'),
        (TIMELINE, '<S t="1000" d="0"/>'),
        (TIMELINE, '<S t="1000" d="2000" r="-2"/>'),
        (TIMELINE, '<S t="-1000" d="2000"/>'),
        (TIMELINE, '<S t="1000" d="2000.5"/>'),
        ('frameRate="30000/1001"', 'frameRate="29.97"'),
        ('sar="1:1"', 'sar="1"'),
        ('par="16:9"', 'par="1.78"'),
        ('codecs="mp4a.40.2"', 'codecs=""'),
        ('id="a0"', 'id="a 0"'),
        ('mimeType="audio/mp4"', 'mimeType="mp4"'),
        ('contentType="audio"', 'contentType="sound"'),
        ('startWithSAP="1" par', 'startWithSAP="7" par'),
        ('segmentAlignment="true"', 'segmentAlignment="yes"'),
        ('audioSamplingRate="48000"', 'audioSamplingRate="48 kHz"'),
        ('availabilityTimeOffset="1.6"', 'availabilityTimeOffset="-1"'),
        ('<Latency target="960"', '<Latency target="0.96"'),
        ('<PlaybackRate min="0.96"', '<PlaybackRate min="slow"'),
        ('type="encoder"', 'type="clock"'),
        ('<Resync type="1"', '<Resync type="4"'),
        ('lang="en" startWithSAP', 'lang="English language" startWithSAP'),
        ("$Number%05d$", "$Number"),
        ("$Number%05d$", "$number$"),
        ("$Number%05d$", "$Number%5d$"),
        # Elements that are missing, unknown, twice there or in the wrong place.
        (f"<SegmentTimeline>{TIMELINE}</SegmentTimeline>", "<SegmentTimeline/>"),
        ("<Label", "<Lable/><Label"),  # codespell:ignore lable
        (
            '<Resync type="1" dT="320"/>',
            '<Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/><Resync type="1"/>',
        ),
        ("<Title>Harbour</Title>", "<Title>Harbour</Title><Title>Train</Title>"),
        ('<Period id="p1"', '<UTCTiming schemeIdUri="urn:x"/><Period id="p1"'),
        (' value="2"\n', ' value="2" values="2"\n'),
    ],
)
def test_the_schema_refuses_content_outside_the_standard(old: str, new: str) -> None:
    assert dash_schema().problem(edited(LIVE, old, new))


def test_an_mpd_has_a_period() -> None:
    none = parsed(re.sub(r"<Period.*</Period>", "", LIVE, flags=re.DOTALL))
    assert dash_schema().problem(none)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (' mpdId="tv"', ""),
        ('originalPublishTime="2026-01-01T00:00:08Z" ', ""),
        ('<remove sel="/MPD/Period[1]"/>', '<move sel="/MPD/Period[1]"/>'),
        ('<remove sel="/MPD/Period[1]"/>', "<remove/>"),
        ('<remove sel="/MPD/Period[1]"/>', '<remove sel="/MPD/Period[1]">x</remove>'),
        ('/SegmentTimeline">\n', '/SegmentTimeline" pos="behind">\n'),
    ],
)
def test_the_schema_refuses_invalid_patches(old: str, new: str) -> None:
    assert dash_schema().problem(edited(PATCH, old, new))


BROKEN: list[tuple[str, str, str]] = [
    ("live_has_its_times", ' publishTime="2026-01-01T00:00:10Z"', ""),
    ("live_has_its_times", 'availabilityStartTime="1970-01-01T00:00:00Z" ', ""),
    ("only_live_is_updated", 'type="dynamic"', 'type="static"'),
    ("it_ends_or_is_updated", 'minimumUpdatePeriod="PT2S" ', ""),
    ("patched_mpds_have_names", ' id="tv"', ""),
    (
        "no_segment_exceeds_the_maximum",
        'maxSegmentDuration="PT2.1S"',
        'maxSegmentDuration="PT1.9S"',
    ),
    ("latency_is_in_order", 'target="960"', 'target="600"'),
    ("latency_is_in_order", 'max="1.04"', 'max="0.99"'),
    ("names_are_unique", 'id="p1"', 'id="p0"'),
    ("names_are_unique", 'id="v1"', 'id="v0"'),
    ("live_periods_have_names", ' id="p1"', ""),
    ("periods_are_in_order", 'start="PT20S"', 'start="PT10S"'),
    ("periods_are_in_order", 'start="PT20S"', 'start="PT13.9S"'),
    (
        "it_ends_after_its_last_period_starts",
        'type="dynamic"',
        'type="static" mediaPresentationDuration="PT20S"',
    ),
    ("everything_has_a_type", ' mimeType="audio/mp4"', ""),
    ("aligned_segments_start_together", SECOND, '<S t="530" d="1000"/>'),
    (
        "aligned_segments_start_together",
        'timescale="500" presentationTimeOffset="500" startNumber="5"',
        'timescale="500" presentationTimeOffset="500" startNumber="4"',
    ),
    ("segments_are_counted_or_listed", f"<SegmentTimeline>{TIMELINE}</SegmentTimeline>", ""),
    ("segments_are_counted_or_listed", 'timescale="500"', 'timescale="500" duration="1000"'),
    ("segments_are_counted_or_listed", 'duration="2000" startNumber="10"', 'startNumber="10"'),
    ("segments_have_distinct_urls", "$Number%05d$", "one"),
    ("timelines_go_forward", SECOND, '<S t="500" d="1000"/><S t="1499" d="1000"/>'),
    ("timelines_go_forward", TIMELINE, '<S t="1000" d="1000" r="1"/><S t="2000" d="2000"/>'),
    ("an_open_end_is_closed", SECOND, '<S t="500" d="1000" r="-1"/><S d="1000"/>'),
    (
        "segments_lie_in_their_period",
        'presentationTimeOffset="1000"',
        'presentationTimeOffset="3001"',
    ),
    (
        "segments_lie_in_their_period",
        'presentationTimeOffset="500"',
        'presentationTimeOffset="2500"',
    ),
    ("segments_lie_in_their_period", 'duration="PT4S"', 'duration="PT2S"'),
    ("numbers_match", 'endNumber="6"', 'endNumber="7"'),
    ("numbers_match", 'endNumber="6"', 'endNumber="4"'),
    ("early_segments_have_begun", 'availabilityTimeOffset="1.6" ', ""),
    ("early_segments_have_begun", 'availabilityTimeOffset="1.6"', 'availabilityTimeOffset="2"'),
]
BROKEN_PATCHES: list[tuple[str, str, str]] = [
    (
        "a_patch_is_of_an_earlier_mpd",
        'originalPublishTime="2026-01-01T00:00:08Z"',
        'originalPublishTime="2026-01-01T00:00:11Z"',
    ),
    ("selectors_are_simple", 'sel="/MPD/Period[1]"', 'sel="//Period[last()]"'),
    ("changes_have_content", '<S d="2000"/>', ""),
    ("changes_have_content", "<PatchLocation>next.mpp</PatchLocation>", ""),
    ("changes_have_content", '@publishTime">', '@publishTime"><S/>'),
]


def rule_named(name: str, rules: tuple[Rule, ...]) -> Rule:
    return next(rule for rule in rules if rule.__name__ == name)


@pytest.mark.parametrize(("name", "old", "new"), BROKEN)
def test_each_rule_finds_its_violation(name: str, old: str, new: str) -> None:
    assert list(rule_named(name, RULES)(edited(LIVE, old, new)))


@pytest.mark.parametrize(("name", "old", "new"), BROKEN_PATCHES)
def test_each_rule_of_patches_finds_its_violation(name: str, old: str, new: str) -> None:
    assert list(rule_named(name, PATCH_RULES)(edited(PATCH, old, new)))


@pytest.mark.parametrize(
    ("rules", "broken"), [(RULES, BROKEN), (PATCH_RULES, BROKEN_PATCHES)], ids=["mpd", "patch"]
)
def test_no_rule_is_without_a_case(
    rules: tuple[Rule, ...], broken: list[tuple[str, str, str]]
) -> None:
    assert {name for name, _, _ in broken} == {rule.__name__ for rule in rules}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # A gap in a timeline, sound that begins half a frame early, an end that is open.
        (SECOND, '<S t="500" d="500"/><S t="1500" d="1000"/>'),
        (SECOND, '<S t="495" d="1005"/><S d="1000"/>'),
        (SECOND, '<S t="500" d="1000" r="-1"/>'),
        (SECOND, '<S t="500" d="1000" r="-1"/><S t="1500" d="1000"/>'),
        # Updates may stop where there is an end, and a period may follow another at once.
        ('minimumUpdatePeriod="PT2S" ', 'mediaPresentationDuration="PT1H" '),
        ('start="PT20S"', 'start="PT14S"'),
    ],
)
def test_no_rule_rejects_permitted_variants(old: str, new: str) -> None:
    check_dash(edited(LIVE, old, new))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT0S", 0), ("PT1.5S", 1.5), ("PT1H2M3S", 3723), ("P1DT1S", 86_401), ("P1Y", 31_557_600)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    ends: Callable[[str], etree._Element] = lambda value: edited(  # noqa: E731
        LIVE, 'maxSegmentDuration="PT2.1S"', f'maxSegmentDuration="{value}"'
    )
    rule = rule_named("no_segment_exceeds_the_maximum", RULES)
    assert bool(list(rule(ends(text)))) == (seconds < 2)
