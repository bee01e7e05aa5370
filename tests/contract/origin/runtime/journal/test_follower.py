import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from packager.journal.format import VERSION, encode
from packager.layout import JOURNAL
from packager.timeline.records import JournalHeader, SegmentEnded, TrackAdded
from packager.timing.ticks import MICROS, UtcMicros
from tests.support.channel import FIRST, GRID, LONG, MANIFESTS, Packager, channel, packager, payload
from tests.support.made_feeds import START
from tests.support.site import SOON, Site, check, origin, serving
from tests.support.strategies import described


def rewrite(made: Packager) -> None:
    """Make the journal worth rewriting, and do it."""
    path = made.folder / JOURNAL
    made.note(*[TrackAdded(described("v0"))] * 6000)
    size = path.stat().st_size
    made.journal.rewrite_if_worth_it()
    assert path.stat().st_size < size


async def test_a_journal_is_rewritten_while_followed(tmp_path: Path) -> None:
    made = channel(tmp_path)
    made.trim(FIRST + 1)
    async with serving(made) as site:
        for number in range(FIRST + 3, FIRST + 6):
            before = await site.ask("index.mpd")
            rewrite(made)
            made.chunk("v0", number, 0)
            await site.until(f"v0/{number}.0.m4s")
            after = await site.ask("index.mpd")
            assert (after.body, after.lasting) == (before.body, before.lasting)
            assert (await site.ask(f"v0/{FIRST}.m4s")).status == 410
            assert (await site.ask(f"v0/{FIRST + 1}.m4s")).status == 200
            made.chunk("v0", number, 1)
            made.end("v0", number)
            made.whole(number, "a0")
            await site.until(f"a0/{number}.m4s")
            site.clock.advance_to(made.grid.micros(number + 2))


async def test_no_request_is_refused_while_a_journal_is_rewritten(tmp_path: Path) -> None:
    made = channel(tmp_path)
    seen: set[int] = set()

    async def watch(site: Site) -> None:
        while True:
            for file in ("index.mpd", "v0/index.m3u8", f"v0/{FIRST}.m4s", "a0/init-0faa60ec.mp4"):
                seen.add((await site.ask(file)).status)

    async with serving(made) as site:
        watching = asyncio.create_task(watch(site))
        for index in range(3):
            rewrite(made)
            made.whole(FIRST + 3 + index)
            await site.until(f"a0/{FIRST + 3 + index}.m4s")
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    assert seen == {200}


async def test_a_rewritten_journal_releases_held_requests(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{number}.m4s")
        rewrite(made)
        made.whole(number, "v0")
        assert (await asking).status == 200


# The machine's clock may be set back: the journal stays readable.
async def test_a_journal_is_rewritten_after_the_clock_went_back(tmp_path: Path) -> None:
    made = channel(tmp_path)
    number = FIRST + 3
    for index in (0, 1):
        made.chunk("v0", number, index)
    made.store.close("v0")
    made.note(SegmentEnded("v0", number, UtcMicros(START - 3600 * MICROS)))
    async with serving(made) as site:
        rewrite(made)
        made.whole(number + 1, "v0")
        await site.until(f"v0/{number + 1}.m4s")
        assert (await site.ask(f"v0/{FIRST}.m4s")).status == 200


@pytest.mark.parametrize("end", ["torn at once", "torn late", "wrong"])
async def test_an_end_that_the_packager_cuts_off_is_not_followed(tmp_path: Path, end: str) -> None:
    made = channel(tmp_path)
    number = FIRST + 3
    made.store.append("v0", number, [payload("v0", number, 0)])
    right, next_one = (encode(made.record("v0", number, index)) for index in (0, 1))
    left = {"torn at once": next_one[:1], "torn late": next_one[:-1], "wrong": b"0 {}\n"}[end]
    async with serving(made) as site:
        with (made.folder / JOURNAL).open("ab", buffering=0) as journal:
            journal.write(right + left)
        await site.until(f"v0/{number}.0.m4s")
        made.journal.close()
        again = packager(tmp_path)
        assert again.journal.cut_off == len(left)
        again.end("v0", number)
        again.begin(1, number + 2)
        for later in range(number + 2, number + 5):
            again.whole(later)
            await site.until(f"a0/{later}.m4s")
            assert (await site.ask(f"v0/{later}.m4s")).status == 200


async def test_a_damaged_journal_is_served_as_far_as_it_goes(tmp_path: Path) -> None:
    made = channel(tmp_path)
    with (made.folder / JOURNAL).open("ab") as journal:
        journal.write(b"\0" * 100 + b"\n")
    async with serving(made) as site:
        for path in (*MANIFESTS, f"v0/{FIRST + 2}.m4s"):
            assert (await site.ask(path)).status == 200


@pytest.mark.parametrize(
    "journal",
    [
        b"",
        b"\n",
        b"junk\n",
        bytes(100_000),
        encode(JournalHeader(VERSION + 1, "tv", GRID.duration)),
    ],
)
async def test_an_unreadable_journal_answers_no_data_yet(tmp_path: Path, journal: bytes) -> None:
    (tmp_path / "tv").mkdir()
    (tmp_path / "tv" / JOURNAL).write_bytes(journal)
    async with origin(tmp_path, START) as site:
        for path in MANIFESTS:
            answer = await site.ask(path)
            assert answer.status == 503
            check(answer)
        assert (await site.ask("/healthz")).status == 200


async def test_a_timeline_stays_valid_without_its_journal(tmp_path: Path) -> None:
    made = channel(tmp_path)
    async with serving(made) as site:
        before = await site.ask("index.mpd")
        (made.folder / JOURNAL).unlink()
        assert (await site.ask("index.mpd")).lasting == before.lasting
        assert (await site.ask(f"v0/{FIRST}.m4s")).status == 200
