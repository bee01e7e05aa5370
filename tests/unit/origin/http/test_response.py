import time
from collections.abc import Mapping

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from origin.http import response as answers
from origin.http.response import FileSlice, Response, http_date, plain
from packager.timing.ticks import MICROS, UtcMicros

MODIFIED = UtcMicros(1_767_225_600 * MICROS + 1)
"""2026-01-01T00:00:00.000001Z."""
SAME = "Thu, 01 Jan 2026 00:00:00 GMT"
EARLIER = "Wed, 31 Dec 2025 23:59:59 GMT"
LATER = "Thu, 01 Jan 2026 00:00:01 GMT"
BODY = bytes(range(200))

texts = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)


def media(*, whole: bool = True) -> Response:
    body = BODY if whole else FileSlice("/media/1.m4s", 1000, len(BODY))
    return Response(
        status=200,
        content_type="video/mp4",
        cache_control="public, max-age=31536000, immutable",
        body=body,
        etag='"abc"',
        modified=MODIFIED,
        ranges=True,
    )


def manifest() -> Response:
    return Response(
        status=200,
        content_type="application/dash+xml",
        cache_control="public, max-age=1",
        body=BODY,
        etag='"abc-gz"',
        modified=MODIFIED,
        extra=(("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")),
    )


def conditioned(answer: Response, headers: Mapping[str, str], method: str = "GET") -> Response:
    return answers.conditioned(answer, method, headers, "no-store")


def test_headers() -> None:
    assert media().headers() == {
        "Content-Type": "video/mp4",
        "Cache-Control": "public, max-age=31536000, immutable",
        "ETag": '"abc"',
        "Last-Modified": SAME,
        "Accept-Ranges": "bytes",
    }


def test_a_line_of_text() -> None:
    answer = plain(404, "no such track", "public, max-age=5", ("Retry-After", "2"))
    assert (answer.status, answer.body, answer.size) == (404, b"no such track\n", 14)
    assert answer.headers() == {
        "Content-Type": "text/plain; charset=utf-8",
        "Cache-Control": "public, max-age=5",
        "Retry-After": "2",
    }


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (MODIFIED, SAME),
        (MODIFIED + MICROS - 2, SAME),
        (MODIFIED + MICROS - 1, LATER),
    ],
)
def test_dates_are_whole_seconds_rounded_down(micros: int, text: str) -> None:
    assert http_date(UtcMicros(micros)) == text


@pytest.mark.parametrize("answer", [media(), manifest(), plain(200, "ok", "no-store")])
def test_without_conditions_nothing_changes(answer: Response) -> None:
    assert conditioned(answer, {}) is answer


# If-Match and If-Unmodified-Since.


EACH = [media(), manifest()]
BOTH = ["GET", "HEAD"]


@pytest.mark.parametrize("form", ["{}", "*", '"x", {}', '{},"x"', '"x" , {} , "y"'])
@pytest.mark.parametrize("answer", EACH)
@pytest.mark.parametrize("method", BOTH)
def test_the_tag_that_is_wanted(form: str, answer: Response, method: str) -> None:
    conditions = {"If-Match": form.format(answer.etag)}
    assert conditioned(answer, conditions, method) == answer


# RFC 9110 section 13.1.1: a strong comparison.
@pytest.mark.parametrize("tags", ["", '"x"', 'W/"abc"', 'W/"abc-gz"', "abc", '"ABC"', '"x", "y"'])
@pytest.mark.parametrize("answer", EACH)
@pytest.mark.parametrize("method", BOTH)
def test_no_tag_that_is_wanted_is_412(tags: str, answer: Response, method: str) -> None:
    refused = conditioned(answer, {"If-Match": tags}, method)
    assert (refused.status, refused.cache_control) == (412, "no-store")
    assert isinstance(refused.body, bytes)
    assert refused.body.endswith(b"\n")


@pytest.mark.parametrize(("since", "status"), [(EARLIER, 412), (SAME, 200), (LATER, 200)])
@pytest.mark.parametrize("answer", EACH)
@pytest.mark.parametrize("method", BOTH)
def test_unmodified_since_when(since: str, status: int, answer: Response, method: str) -> None:
    assert conditioned(answer, {"If-Unmodified-Since": since}, method).status == status


# Section 13.2.2, in its order.
@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"If-Match": '"abc"', "If-Unmodified-Since": EARLIER}, 200),
        ({"If-Match": '"x"', "If-Unmodified-Since": LATER}, 412),
        ({"If-Match": '"abc"', "If-None-Match": '"abc"'}, 304),
        ({"If-Match": '"x"', "If-None-Match": '"abc"'}, 412),
        ({"If-Match": "*", "If-Modified-Since": SAME}, 304),
        ({"If-Unmodified-Since": SAME, "If-Modified-Since": SAME}, 304),
        ({"If-Unmodified-Since": EARLIER, "If-None-Match": "*"}, 412),
        ({"If-Unmodified-Since": SAME, "If-None-Match": '"x"'}, 200),
        ({"If-Match": '"x"', "Range": "bytes=0-9"}, 412),
        ({"If-Match": '"x"', "Range": "bytes=999-"}, 412),
        ({"If-Match": '"abc"', "Range": "bytes=0-9"}, 206),
        ({"If-Match": '"abc"', "Range": "bytes=0-9", "If-Range": '"x"'}, 200),
        ({"If-Unmodified-Since": SAME, "Range": "bytes=999-"}, 416),
        ({"If-None-Match": '"abc"', "Range": "bytes=999-"}, 304),
    ],
)
def test_which_condition_counts_first(conditions: dict[str, str], status: int) -> None:
    assert conditioned(media(), conditions).status == status


# If-None-Match.


@pytest.mark.parametrize(
    "tags", ['"abc"', 'W/"abc"', "*", '"x", "abc"', '"abc","x"', '"x" , W/"abc" , "y"']
)
def test_a_known_tag_gets_304(tags: str) -> None:
    answer = conditioned(media(), {"If-None-Match": tags})
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers() == media().headers()


@pytest.mark.parametrize("tags", ["", '"x"', "abc", '"ab"', '"ABC"', 'W/"x"', '"abc', "**"])
def test_another_tag_gets_the_whole(tags: str) -> None:
    assert conditioned(media(), {"If-None-Match": tags}) == media()


def test_each_encoding_has_its_own_tag() -> None:
    assert conditioned(manifest(), {"If-None-Match": '"abc"'}).status == 200
    answer = conditioned(manifest(), {"If-None-Match": '"abc-gz"'})
    assert answer.status == 304
    assert answer.headers()["Vary"] == "Accept-Encoding"


def test_a_tag_counts_more_than_a_date() -> None:
    conditions = {"If-None-Match": '"x"', "If-Modified-Since": LATER}
    assert conditioned(media(), conditions).status == 200


def test_a_known_tag_counts_more_than_a_range() -> None:
    conditions = {"If-None-Match": '"abc"', "Range": "bytes=0-9"}
    assert conditioned(media(), conditions).status == 304


def test_a_body_without_a_tag_is_always_sent() -> None:
    answer = plain(200, "ok", "no-store")
    for conditions in (
        {"If-None-Match": "*", "If-Modified-Since": LATER},
        {"If-Match": '"x"'},
        {"If-Unmodified-Since": EARLIER},
    ):
        assert conditioned(answer, conditions) == answer


# If-Modified-Since.


@pytest.mark.parametrize(("since", "status"), [(EARLIER, 200), (SAME, 304), (LATER, 304)])
def test_since_when(since: str, status: int) -> None:
    assert conditioned(media(), {"If-Modified-Since": since}).status == status


# RFC 9110 section 5.6.7: the obsolete forms are read too, and all of them are in GMT.
@pytest.mark.parametrize("form", ["Thursday, 01-Jan-26 {} GMT", "Thu Jan  1 {} 2026"])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_old_forms_of_a_date(form: str, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        since = {"If-Modified-Since": form.format("00:00:00")}
        later = {"If-Unmodified-Since": form.format("00:00:00")}
        answers = conditioned(media(), since), conditioned(media(), later)
    time.tzset()
    assert [answer.status for answer in answers] == [304, 200]


@pytest.mark.parametrize(
    "since",
    [
        *["", "yesterday", "0", "Thu, 01 Jan 0000 00:00:00 GMT", "Thu, 99 Jan 2026 00:00:00 GMT"],
        *["Thu, 01 Jan 2026 00:00:00 +9999", "Thu, 01 Jan 99999 00:00:00 GMT", ",,,", ": : :"],
        *["Thu, 01 Jan 2026 99:99:99 GMT", "1 1 1 1 1", "Thu, 01 Jan 1 00:00:00 GMT", "a b c d e"],
    ],
)
def test_an_invalid_date_is_no_condition(since: str) -> None:
    assert conditioned(media(), {"If-Modified-Since": since}).status == 200


@pytest.mark.parametrize("since", ["", "yesterday", "0", "Thu, 99 Jan 2026 00:00:00 GMT", ",,,"])
def test_an_invalid_if_unmodified_since_is_no_condition(since: str) -> None:
    assert conditioned(media(), {"If-Unmodified-Since": since}).status == 200


# Range and If-Range.


@given(st.integers(0, len(BODY) - 1), st.integers(0, 2 * len(BODY)), st.booleans())
def test_a_part_is_of_the_body(first: int, last: int, whole: bool) -> None:  # noqa: FBT001
    assume(first <= last)
    answer = conditioned(media(whole=whole), {"Range": f"bytes={first}-{last}"})
    end = min(last, len(BODY) - 1)
    assert answer.status == 206
    assert answer.headers() == {
        **media().headers(),
        "Content-Range": f"bytes {first}-{end}/{len(BODY)}",
    }
    assert answer.size == end - first + 1
    if isinstance(answer.body, FileSlice):
        assert answer.body == FileSlice("/media/1.m4s", 1000 + first, end - first + 1)
    else:
        assert answer.body == BODY[first : end + 1]


@pytest.mark.parametrize("asked", ["bytes=200-", "bytes=999-1000", "bytes=-0"])
def test_a_part_that_is_not_there(asked: str) -> None:
    answer = conditioned(media(), {"Range": asked})
    assert answer.status == 416
    assert answer.headers()["Content-Range"] == "bytes */200"
    assert "ETag" not in answer.headers()


# The cache key of a CDN has no Range in it: all viewers would get a cached 416.
def test_a_416_is_not_kept_as_long_as_the_media() -> None:
    kept = conditioned(media(), {"Range": "bytes=200-"}).cache_control
    assert "immutable" not in kept
    assert kept != media().cache_control


@pytest.mark.parametrize("asked", ["bytes=9-0", "bytes=0-1,3-4", "items=0-1", "nonsense"])
def test_several_or_invalid_ranges_get_the_whole_body(asked: str) -> None:
    assert conditioned(media(), {"Range": asked}) == media()


# RFC 9110 section 14.2: GET alone has ranges.
@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=-1", "bytes=200-", "bytes=x"])
def test_a_head_has_no_parts(asked: str) -> None:
    for headers in ({"Range": asked}, {"Range": asked, "If-Range": '"abc"'}):
        assert conditioned(media(), headers, "HEAD") == media()


def test_a_manifest_has_no_parts() -> None:
    assert conditioned(manifest(), {"Range": "bytes=0-9"}) == manifest()


@pytest.mark.parametrize("condition", ['"abc"', SAME])
def test_a_range_of_this_very_body(condition: str) -> None:
    answer = conditioned(media(), {"Range": "bytes=0-9", "If-Range": condition})
    assert (answer.status, answer.size) == (206, 10)


# RFC 9110 section 13.1.5: a strong comparison, and a date that is exactly the same.
@pytest.mark.parametrize("condition", ['"x"', 'W/"abc"', "*", "", "abc", EARLIER, LATER])
def test_a_range_of_another_body_gets_the_whole(condition: str) -> None:
    assert conditioned(media(), {"Range": "bytes=0-9", "If-Range": condition}) == media()
    assert conditioned(media(), {"Range": "bytes=999-", "If-Range": condition}) == media()


NAMES = [
    *["If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since", "Range", "If-Range"]
]
likely = st.one_of(
    texts,
    st.sampled_from(['"abc"', "*", SAME, LATER, "bytes=0-9", "bytes=-1", "bytes=900-"]),
    st.lists(
        st.sampled_from(["Thu,", "01", "Jan", "2026", "00:00:00", "-0000", "+0100", "99", ":", "a"])
    ).map(" ".join),
)


@given(st.dictionaries(st.sampled_from(NAMES), likely), st.sampled_from([media(), manifest()]))
@example({"If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 -9999"}, media())
def test_any_headers_get_an_answer(headers: dict[str, str], answer: Response) -> None:
    after = conditioned(answer, headers)
    assert after.status in (200, 206, 304, 412, 416)
    assert after.cache_control
    if after.status == 200:
        assert after == answer
    if after.status == 206:
        assert 0 < after.size <= answer.size


@pytest.mark.parametrize("zone", ["", " -0000"])
def test_a_date_without_a_zone_is_an_answer_too(zone: str) -> None:
    headers = {"If-Modified-Since": f"01 Jan 2026 00:00:00{zone}"}
    assert conditioned(media(), headers).status in (200, 304)
