import re
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.decision.plan import Freshness
from origin.http.cache_policy import Cdn, cache_control
from tests.support.strategies import durations

D = Fraction(48, 25)
CDNS: tuple[Cdn, ...] = get_args(Cdn)
ERRORS = [
    Freshness.SOON,
    Freshness.HOLE,
    Freshness.GONE,
    Freshness.UNKNOWN,
    Freshness.UNAVAILABLE,
    Freshness.BAD,
]


def max_age(text: str) -> int:
    """Seconds that an answer may be kept."""
    if text == "no-store":
        return 0
    found = re.fullmatch(r"public, max-age=(\d+)(, immutable)?", text)
    assert found is not None, text
    return int(found[1])


@pytest.mark.parametrize("freshness", list(Freshness))
@pytest.mark.parametrize("cdn", CDNS)
def test_every_answer_has_its_lifetime(freshness: Freshness, cdn: Cdn) -> None:
    assert max_age(cache_control(freshness, cdn, D)) >= 0


@pytest.mark.parametrize("cdn", CDNS)
def test_media_is_kept_for_ever(cdn: Cdn) -> None:
    assert cache_control(Freshness.FOREVER, cdn, D) == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("cdn", CDNS)
def test_only_media_never_changes(cdn: Cdn) -> None:
    unchanging = [f for f in Freshness if "immutable" in cache_control(f, cdn, D)]
    assert unchanging == [Freshness.FOREVER]


@pytest.mark.parametrize("freshness", ERRORS)
@pytest.mark.parametrize("cdn", CDNS)
def test_an_error_is_kept_for_a_minute_at_most(freshness: Freshness, cdn: Cdn) -> None:
    assert max_age(cache_control(freshness, cdn, D)) <= 60


@pytest.mark.parametrize(
    ("freshness", "seconds"),
    [
        (Freshness.SOON, 1),
        (Freshness.HOLE, 2),
        (Freshness.GONE, 60),
        (Freshness.UNKNOWN, 5),
        (Freshness.UNAVAILABLE, 1),
        (Freshness.BAD, 5),
        (Freshness.NEVER, 0),
        (Freshness.ENDED_MANIFEST, 3600),
    ],
)
def test_the_generic_preset(freshness: Freshness, seconds: int) -> None:
    assert max_age(cache_control(freshness, "generic", D)) == seconds


@pytest.mark.parametrize("freshness", [Freshness.SOON, Freshness.HOLE, Freshness.UNAVAILABLE])
def test_cloudfront_caches_no_short_lived_error(freshness: Freshness) -> None:
    assert cache_control(freshness, "cloudfront", D) == "no-store"


# Neither the clock nor what one request's own conditions made of an answer.
@pytest.mark.parametrize("freshness", [Freshness.NEVER, Freshness.CONDITION])
@pytest.mark.parametrize("cdn", CDNS)
def test_responses_valid_once_are_never_cached(freshness: Freshness, cdn: Cdn) -> None:
    assert cache_control(freshness, cdn, D) == "no-store"


# docs/decisions/0007: Cache-Control has whole seconds, and zero would disable caching.
@given(st.one_of(durations, st.fractions(0, 20)), st.sampled_from(CDNS))
def test_a_live_manifest_is_kept_for_half_a_segment_at_most(segment: Fraction, cdn: Cdn) -> None:
    seconds = max_age(cache_control(Freshness.LIVE_MANIFEST, cdn, segment))
    assert seconds == 1 or 1 < seconds <= segment / 2


@pytest.mark.parametrize(("lasts", "seconds"), [(None, 3600), (9999, 3600), (90, 90), (0, 1)])
def test_an_ended_manifest_is_cached_while_its_segments_are_there(
    lasts: int | None, seconds: int
) -> None:
    left = None if lasts is None else Fraction(lasts)
    assert max_age(cache_control(Freshness.ENDED_MANIFEST, "generic", D, left)) == seconds
