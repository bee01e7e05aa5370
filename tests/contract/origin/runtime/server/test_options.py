"""Options of the origin, its log and its counts."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from origin.runtime.telemetry import metrics
from origin.runtime.telemetry.cmcd_metrics import REQUESTS as CMCD_REQUESTS
from tests.support.channel import FIRST, a_feed, channel, packager, publish
from tests.support.metric_values import value_of
from tests.support.site import request, serving

SEGMENT = f"/live/tv/v0/{FIRST}.m4s"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_segment_names_the_next_one(tmp_path: Path) -> None:
    made = packager(tmp_path)
    publish(made, a_feed())
    async with serving(made, options=", prefetch_hint: true") as site:
        answer = await site.ask(SEGMENT)
        assert answer.one("Link") == f'<{FIRST + 1}.m4s>; rel="next"'
        fragment = await site.ask(made.fragment(0))
        (time,) = re.findall(r"video=(\d+)", made.fragment(1))
        assert fragment.one("Link") == f'<Fragments(video={time})>; rel="next"'
        assert "Link" not in (await site.ask("index.mpd")).headers
        assert "Link" not in (await site.ask(f"v0/{FIRST}.0.m4s")).headers


@pytest.mark.parametrize(
    ("path", "cache_control"),
    [
        (SEGMENT, "max-age=31536000, stale-if-error=86400"),
        ("/live/tv/index.mpd", "max-age=1, stale-while-revalidate=1"),
        (f"/live/tv/v0/{FIRST + 99}.m4s", "max-age=1"),
        ("/live/tv/nothing", "max-age=5"),
        ("/healthz", "no-store"),
    ],
)
async def test_responses_have_a_header_for_cdns(
    tmp_path: Path, path: str, cache_control: str
) -> None:
    async with serving(channel(tmp_path), options=", cdn_cache_control: true") as site:
        for _ in range(2):
            assert (await site.ask(path)).one("CDN-Cache-Control") == cache_control


async def test_each_response_is_logged_with_the_values_of_its_request(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with serving(channel(tmp_path), options=", access_log: full") as site:
        for path in (SEGMENT, SEGMENT, "/live/tv/nothing?token=x"):
            (answer,) = await site.raw(
                request(
                    f"GET {path}", "X-Request-ID: of-mine", f"traceparent: {TRACE}", 'User-Agent: "'
                )
            )
            assert answer.one("X-Request-ID") == "of-mine"
            assert answer.one("traceparent") == TRACE
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[0] == "{"]
    requests = [line for line in lines if line["event"] == "request" and "trace" in line]
    assert [(line["path"], line["status"]) for line in requests] == [
        *[(SEGMENT, 200)] * 2,
        ("/live/tv/nothing", 404),
    ]
    assert all(
        (line["request_id"], line["trace"], line["agent"], line["client"])
        == ("of-mine", TRACE, '"', "127.0.0.1")
        for line in requests
    )


async def test_cmcd_is_counted_by_channel_and_cdn(tmp_path: Path) -> None:
    secret = "s" * 32
    labels = CMCD_REQUESTS.labels("tv", "north")
    before = value_of(labels)
    async with serving(channel(tmp_path), access=f"{{cdn_secrets: {{north: {secret}}}}}") as site:
        for path, *headers in (
            (f"{SEGMENT}?CMCD=bl%3D2000",),
            (f"{SEGMENT}?CMCD=bl%3D2000",),
            (SEGMENT, "CMCD-Request: bl=2000"),
            (SEGMENT, "CMCD-Request: bl=2000", "Connection: close"),
        ):
            shown = (f"X-CDN-Secret: {secret}", *headers)
            (answer,) = await site.raw(request(f"GET {path}", *shown))
            assert answer.status == 200
        await site.until("/healthz")
        async with asyncio.timeout(5):
            while value_of(labels) < before + 4:
                await asyncio.sleep(0.01)
    assert value_of(labels) == before + 4


async def test_ready_answers_are_counted_as_any_other(tmp_path: Path) -> None:
    requests = metrics.REQUESTS.labels("tv", "segment", 200)
    octets = metrics.SENT_BYTES.labels("tv", "segment")
    ready = metrics.CACHE_HITS.labels("segment")
    counts = [value_of(counter) for counter in (requests, octets, ready)]
    async with serving(channel(tmp_path)) as site:
        ask = request(f"GET {SEGMENT}")
        await site.raw(ask)
        await site.raw(ask, ask, request(f"HEAD {SEGMENT}"))
    gained = [
        value_of(counter) - count
        for counter, count in zip((requests, octets, ready), counts, strict=True)
    ]
    assert gained == [4, 6000, 3]


async def test_the_newest_segment_is_preloaded_if_the_previous_one_was_requested(
    tmp_path: Path,
) -> None:
    made = channel(tmp_path)
    ready, kept = metrics.CACHE_HITS.labels("segment"), metrics.CACHE_BYTES
    async with serving(made) as site:
        newest = made.journal.timeline.edge
        await site.ask(f"v0/{newest}.m4s")
        before = value_of(ready)
        made.whole(newest + 1, size=40_000)
        async with asyncio.timeout(5):
            while value_of(kept) < 80_000:
                await asyncio.sleep(0.005)
        await site.ask(f"v0/{newest + 1}.m4s")
        await site.ask(f"a0/{newest + 1}.m4s")
    assert value_of(ready) == before + 1


@pytest.mark.parametrize("line", [b"User-Agent: \xe9", b"X-Forwarded-For: \xff"])
async def test_a_header_that_is_no_text_ends_no_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], line: bytes
) -> None:
    async with serving(channel(tmp_path), options=", access_log: full") as site:
        await site.raw(b"GET /live/tv/index.mpd HTTP/1.1\r\nHost: x\r\n" + line + b"\r\n\r\n")
        await site.ask("index.m3u8")
    lines = [json.loads(text) for text in capfd.readouterr().err.splitlines() if text[0] == "{"]
    assert [entry["path"] for entry in lines if entry["event"] == "request"][-2:] == [
        "/live/tv/index.mpd",
        "/live/tv/index.m3u8",
    ]


async def test_a_segment_that_was_cut_off_while_at_hand_is_503_from_then_on(
    tmp_path: Path,
) -> None:
    made = channel(tmp_path, segments=1)
    number = made.first + 1
    made.whole(number, size=200_000)
    ask = request(f"GET /live/tv/v0/{number}.m4s")
    async with serving(made) as site:
        for _ in range(2):
            (answer,) = await site.raw(ask)
            assert len(answer.body) == 400_000
        with made.path("v0", number).open("r+b") as file:
            file.truncate(100_000)
        with pytest.raises(asyncio.IncompleteReadError):
            await site.raw(ask)
        for headers in ((), ("Connection: close",)):
            (answer,) = await site.raw(request(f"GET /live/tv/v0/{number}.m4s", *headers))
            assert answer.status == 503
        made.path("v0", number).unlink()
        assert (await site.ask(f"v0/{number}.m4s")).status == 503


async def test_a_segment_deleted_while_cached_is_the_same_in_both_lanes(tmp_path: Path) -> None:
    made = channel(tmp_path, segments=1)
    number = made.first + 1
    made.whole(number, size=1_500_000)
    async with serving(made) as site:
        whole = (await site.ask(f"v0/{number}.m4s")).body
        made.path("v0", number).unlink()
        for headers in ((), ("Connection: close",)):
            (answer,) = await site.raw(request(f"GET /live/tv/v0/{number}.m4s", *headers))
            assert answer.body == whole
