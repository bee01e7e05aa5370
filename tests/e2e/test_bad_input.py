"""A bad feed is named in the log; other channels go on, and published media stays."""

import json
from collections.abc import Iterator
from pathlib import Path

import m3u8
import pytest

from tests.paths import ROOT
from tests.support import footage, material
from tests.support.service import Service, fetch, service, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.extended]

SMALL = f"{ROOT}/tests/support/small.yaml"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("bad")
    small = material.made_up(folder / "small.ts", 320, 240)
    large = material.made_up(folder / "large.ts", 640, 360)
    slower = material.made_up(folder / "slower.ts", 320, 240, seconds=12, sample_rate=44_100)
    feeds = {
        "noise": material.noise(folder / "noise.ts"),
        "silent": material.only("v", folder / "video.ts"),
        "blind": material.only("a", folder / "audio.ts"),
        "late": material.begun_late(folder / "late.ts"),
        "junk": material.with_junk(folder / "junk.ts"),
        "short": small,
        "change": material.joined(folder / "change.ts", small, large),
        "sound": material.joined(folder / "sound.ts", small, slower),
        "mpeg2": footage.mpeg2(),
    }
    channels = [
        f"  {name}: {{source: {{type: file, file: {file}}}, ladder: {SMALL}}}"
        for name, file in feeds.items()
    ]
    channels += [
        f"  {name}-copied: {{source: {{type: file, file: {feeds[name]}}}, ladder: passthrough}}"
        for name in ("silent", "late", "junk", "change", "sound", "mpeg2")
    ]
    smooth = material.made_up(folder / "50.mp4", 320, 240, frame_rate="60000/1001")
    usual = material.made_up(folder / "25.mp4", 320, 240)
    unlike = f"{{type: file, file: [{usual}, {smooth}], loop: true}}"
    channels += [f"  unlike: {{source: {unlike}, ladder: {SMALL}}}"]
    good = f"{{type: file, file: {footage.train()}, loop: true}}"
    channels += [f"  good: {{source: {good}, ladder: passthrough}}"]
    with service(folder, "\n".join(channels)) as started:
        yield started


def problems(service: Service, channel: str) -> set[str]:
    """The problems of a channel in the log."""
    lines = (line for line in service.log.splitlines() if line.startswith("{"))
    events = map(json.loads, lines)
    return {str(e["problem"]) for e in events if e.get("channel") == channel and "problem" in e}


def status(service: Service, channel: str) -> dict[str, object]:
    """What the status page knows of a channel."""
    channels = json.loads(fetch(f"{service.control}/api/status").text)["channels"]
    found: dict[str, object] = next(c for c in channels if c["name"] == channel)
    return found


def wait_for_problem(service: Service, channel: str, problem: str) -> None:
    """Wait until a problem is in the log, and the status has a problem of the log."""
    wait_until(lambda: any(problem in said for said in problems(service, channel)), problem, 60)
    wait_until(lambda: status(service, channel)["problem"] in problems(service, channel), "status")


def wait_for_end(service: Service, channel: str) -> None:
    """Until the source has been played to its end."""
    wait_until(lambda: status(service, channel)["state"] == "ended", f"the end of {channel}", 60)


@pytest.mark.parametrize(
    ("channel", "problem"),
    [
        ("noise", "noise.ts: no media"),
        ("blind", "audio.ts: the feed has no video"),
        ("silent", "the feed has no audio"),
        ("silent-copied", "the feed has no audio"),
        ("late", "undecodable until the next keyframe"),
        ("late-copied", "undecodable until the next keyframe"),
        ("junk", "corrupt input"),
        ("junk-copied", "corrupt input"),
        ("change-copied", "the feed's parameters changed: video"),
        ("sound-copied", "the feed's parameters changed: audio"),
        ("unlike", "50.mp4: the files of a list must have equal streams"),
        ("mpeg2-copied", "mpeg2video cannot be passed through"),
    ],
)
def test_a_problem_of_a_feed_is_logged(running: Service, channel: str, problem: str) -> None:
    wait_for_problem(running, channel, problem)


def test_new_parameters_of_a_feed_that_is_encoded_are_named_and_cost_nothing(
    tmp_path: Path,
) -> None:
    small = material.made_up(tmp_path / "small.ts", 320, 240)
    large = material.made_up(tmp_path / "large.ts", 640, 360)
    feed = material.joined(tmp_path / "change.ts", small, large)
    channel = f"  change: {{source: {{type: file, file: {feed}}}, ladder: {SMALL}}}"
    # By itself: an encoder that has to wait for others at its start begins with a hole.
    with service(tmp_path, channel) as running:
        running.wait_for_segments("change", 1)
        wait_for_end(running, "change")
        assert any("parameters changed" in said for said in problems(running, "change"))
        listed = m3u8.loads(fetch(f"{running.live('change')}/270p/index.m3u8").text).segments
    assert sum(segment.duration for segment in listed) > 11
    assert not any(segment.gap_tag for segment in listed)


@pytest.mark.parametrize("channel", ["silent", "late", "junk", "short", "silent-copied"])
def test_a_source_that_ends_stays_to_be_fetched_as_ended(running: Service, channel: str) -> None:
    wait_for_end(running, channel)
    base = running.live(channel)
    for playlist in m3u8.loads(fetch(f"{base}/index.m3u8").text).playlists:
        media = m3u8.loads(fetch(f"{base}/{playlist.uri}").text)
        assert media.is_endlist
        there = [segment for segment in media.segments if not segment.gap_tag]
        assert there
        folder = playlist.uri.removesuffix("/index.m3u8")
        for segment in there:
            assert fetch(f"{base}/{folder}/{segment.uri}", "HEAD").status == 200
    assert 'type="static"' in fetch(f"{base}/index.mpd").text


def test_a_feed_without_sound_has_no_audio_in_any_format(running: Service) -> None:
    wait_for_end(running, "silent")
    base = running.live("silent")
    assert "TYPE=AUDIO" not in fetch(f"{base}/index.m3u8").text
    assert "mp4a" not in fetch(f"{base}/index.mpd").text
    assert 'Type="audio"' not in fetch(f"{base}/index.ism/Manifest").text


@pytest.mark.parametrize("channel", ["noise", "blind"])
def test_a_channel_without_any_media_is_unavailable_not_unknown(
    running: Service, channel: str
) -> None:
    answer = fetch(f"{running.live(channel)}/index.m3u8")
    assert (answer.status, answer.text) == (503, "no data yet\n")
    assert int(answer.headers["Retry-After"]) >= 1


def test_media_published_before_a_failure_stays(running: Service) -> None:
    wait_for_problem(running, "change-copied", "the feed's parameters changed")
    media = m3u8.loads(fetch(f"{running.live('change-copied')}/v0/index.m3u8").text)
    first = next(segment for segment in media.segments if not segment.gap_tag)
    assert fetch(f"{running.live('change-copied')}/v0/{first.uri}").status == 200


def test_the_good_channel_noticed_nothing(running: Service) -> None:
    running.wait_for_segments("good", 4)
    assert problems(running, "good") == set()
    assert status(running, "good")["restarts"] == 0
    assert running.events("process.died") == []
    assert running.events("channel.crashed") == []
    assert "Traceback" not in running.log


def test_short_files_are_left_alone(running: Service) -> None:
    """Nothing but journal, status and media lies in a channel's folder."""
    wait_for_end(running, "short")
    folder = Path(running.folder) / "data" / "short"
    suffixes = {p.suffix for p in folder.rglob("*") if p.is_file()}
    assert suffixes <= {"", ".reserve", ".json", ".mp4", ".m4s"}
