"""Simulated viewers that behave like real players, for Locust: a flash crowd joins and leaves.

    locust -f bench/locustfile.py --headless --host http://127.0.0.1:8080 --channel demo --crowd 200

Each viewer joins, refreshes its manifest at the pace of its format, and fetches a segment of video
and audio in each segment duration. Some change the rendition, some start at the event's start.
Everything that a viewer would notice is a failure. A status other than 200 is one; for an object in
the future, after two seconds. So is an empty segment, and a live edge that stands still for three
target durations. Shares and paces are those of `flash_crowd.model.Audience`.
"""

import random
from argparse import ArgumentParser
from dataclasses import replace
from math import ceil, pi, sin
from typing import Any, ClassVar

import gevent
from flash_crowd.manifests import (
    Listing,
    Presentation,
    client_manifest,
    following,
    media_playlist,
    mpd,
    multivariant,
    patch,
)
from flash_crowd.model import Audience, Kind
from locust import LoadTestShape, events, task
from locust.contrib.fasthttp import FastHttpUser
from locust.exception import StopUser

from packager.timing.clock import monotonic

AUDIENCE = Audience()
_TRIES = 5
_SOON = (404, 412)
"""Statuses of the origin for an object in the near future."""
_SYNCHRONIZES = 30.0
"""Seconds."""


@events.init_command_line_parser.add_listener
def options(parser: ArgumentParser, **_: object) -> None:
    """Add options; each may be an environment variable too."""
    arguments: Any = parser
    say = arguments.add_argument
    say("--channel", env_var="CROWD_CHANNEL", default="demo")
    say("--event", env_var="CROWD_EVENT", default="", help="event that viewers start over")
    say("--edges", env_var="CROWD_EDGES", default="", help="URLs, with commas; or else the host")
    say("--crowd", env_var="CROWD_USERS", type=int, default=200, help="viewers")
    say(
        "--ramp", env_var="CROWD_RAMP", type=float, default=AUDIENCE.ramp, help="seconds to join in"
    )
    say("--watch", env_var="CROWD_WATCH", type=float, default=40.0, help="seconds after that")
    say("--leave", env_var="CROWD_LEAVE", type=float, default=5.0, help="seconds to leave in")


class FlashCrowd(LoadTestShape):
    """A crowd that joins within seconds, as a raised cosine, stays and leaves."""

    def tick(self) -> tuple[int, float] | None:
        """Number of viewers at this moment."""
        if self.runner is None:
            return None
        arguments: Any = self.runner.environment.parsed_options
        now = self.get_run_time()
        if now < arguments.ramp:
            share = now / arguments.ramp
            count = ceil(arguments.crowd * (share - sin(2 * pi * share) / (2 * pi)))
            return max(1, count), arguments.crowd
        if now < arguments.ramp + arguments.watch:
            return arguments.crowd, arguments.crowd
        left = 1 - (now - arguments.ramp - arguments.watch) / max(arguments.leave, 0.001)
        return (ceil(arguments.crowd * left), arguments.crowd) if left > 0 else None


class Viewer(FastHttpUser):
    """Behaviour of viewers of all formats."""

    abstract = True
    files: ClassVar[str] = ""
    """Path of the first manifest."""

    def on_start(self) -> None:
        """Choose the rendition and the start."""
        arguments: Any = self.environment.parsed_options
        edges = [edge for edge in arguments.edges.split(",") if edge] or [self.host]
        self.starts_over = bool(arguments.event) and random.random() < AUDIENCE.start_over  # noqa: S311
        view = f"/event/{arguments.event}" if self.starts_over else ""
        edge = random.choice(edges)  # noqa: S311
        self.first_url = f"{edge}/live/{arguments.channel}{view}/{self.files}"
        self.ends = monotonic() + random.expovariate(1 / AUDIENCE.stay)
        self.due = monotonic()
        self.rendition = -1
        self.newest = -1
        self.moved = monotonic()
        # Locust starts the viewers of a second at once; spread them over the second.
        gevent.sleep(random.random())  # noqa: S311

    @task
    def life(self) -> None:
        """From joining to leaving."""
        self.moved = monotonic()
        self.watch()
        raise StopUser

    def watch(self) -> None:
        """Watch as a player of the format does."""
        raise NotImplementedError

    def fetch(self, url: str, kind: Kind) -> bytes:
        """The body of the response; a request for a future object is repeated.

        Raises:
            StopUser: a viewer would notice an error.
        """
        for left in reversed(range(_TRIES)):
            request: Any = self.client.get(url, name=kind.label, catch_response=True)
            with request as answer:
                if answer.status_code == 200 and answer.content:
                    answer.success()
                    return bytes(answer.content)
                if left and answer.status_code in _SOON:
                    answer.success()
                else:
                    answer.failure(f"{answer.status_code}, {len(answer.content or b'')} bytes")
                    break
            gevent.sleep(0.5)
        raise StopUser

    def wait(self, seconds: float = 0.0) -> None:
        """Wait until some seconds after the last time; leave at the end of the visit."""
        self.due = max(self.due + seconds, monotonic() - seconds)
        gevent.sleep(max(0.0, self.due - monotonic()))
        if monotonic() > self.ends:
            raise StopUser

    def choose(self, count: int) -> bool:
        """Choose one of some renditions, mostly the same; also whether it changed."""
        if self.rendition < 0:
            weights = AUDIENCE.renditions[:count]
            self.rendition = random.choices(range(len(weights)), weights)[0]  # noqa: S311
            return True
        before = self.rendition
        if random.random() < AUDIENCE.switch:  # noqa: S311
            step = random.choice((-1, 1))  # noqa: S311
            self.rendition = min(max(before + step, 0), count - 1)
        return self.rendition != before

    def see(self, newest: int, target: float) -> bool:
        """Check whether the live edge moved; one that stands still is a failure."""
        now = monotonic()
        if newest > self.newest:
            self.newest, self.moved = newest, now
            return True
        if now - self.moved > 3 * target:
            self.environment.events.request.fire(
                request_type="EDGE",
                name="stale",
                response_time=(now - self.moved) * 1000,
                response_length=0,
                exception=RuntimeError("the live edge stands still"),
                context={},
            )
            self.moved = now
        return False


class Followed:
    """A playlist that is refreshed, with delta updates if the origin offers them."""

    def __init__(self, viewer: Viewer, url: str) -> None:
        """Load it."""
        self._viewer = viewer
        self._url = url
        self.listing = self._loaded("")

    def _loaded(self, query: str) -> Listing:
        text = self._viewer.fetch(self._url + query, Kind.PLAYLIST).decode()
        return media_playlist(text, self._url)

    def refresh(self) -> None:
        """Read the new segments; a delta update leaves out known ones."""
        before = self.listing
        found = self._loaded("?_HLS_skip=YES" if before.skips else "")
        older = before.urls[: max(0, found.first - before.first)]
        self.listing = replace(found, first=found.first - len(older), urls=older + found.urls)


class HlsViewer(Viewer):
    """As hls.js: refreshes the playlists of video and audio, and fetches new segments at once."""

    weight = round(AUDIENCE.hls * 100)
    files = "index.m3u8"

    def watch(self) -> None:
        """Refresh, and fetch the new segments or the next one."""
        text = self.fetch(self.first_url, Kind.MULTIVARIANT).decode()
        urls, audio_url = multivariant(text, self.first_url)
        self.choose(len(urls))
        picture, audio = Followed(self, urls[self.rendition]), Followed(self, audio_url)
        self.fetch(picture.listing.init, Kind.INIT)
        self.fetch(audio.listing.init, Kind.INIT)
        self.see(picture.listing.newest, picture.listing.target)
        first, newest = picture.listing.first, picture.listing.newest
        upcoming = first if self.starts_over else max(first, newest - AUDIENCE.start_segments + 1)
        until = min(newest, upcoming + AUDIENCE.start_segments - 1)
        moved = True
        while not picture.listing.ended:
            for number in range(upcoming, until + 1):
                self._segment(picture.listing.url(number), audio.listing.url(number))
            upcoming = until + 1
            self.wait(picture.listing.segment if moved else picture.listing.target / 2)
            if self.choose(len(urls)):
                picture = Followed(self, urls[self.rendition])
                self.fetch(picture.listing.init, Kind.INIT)
            else:
                picture.refresh()
            audio.refresh()
            moved = self.see(picture.listing.newest, picture.listing.target)
            newest = min(picture.listing.newest, audio.listing.newest)
            # A viewer behind the live edge fetches a segment when one has been played.
            until = min(upcoming, newest) if self.starts_over else newest
            moved = moved or self.starts_over

    def _segment(self, *urls: str) -> None:
        for url in urls:
            if url:
                self.fetch(url, Kind.SEGMENT)


class DashViewer(Viewer):
    """As dash.js: refreshes the MPD each segment, with patches, and the clock sometimes."""

    weight = round(AUDIENCE.dash * 100)
    files = "index.mpd"

    def watch(self) -> None:
        """Refresh, and fetch the new segments or the next one."""
        shown = mpd(self.fetch(self.first_url, Kind.MPD), self.first_url)
        self.synchronized = -_SYNCHRONIZES
        self._synchronize(shown)
        self.choose(len(shown.renditions))
        self.see(shown.newest, shown.update)
        self.fetch(shown.renditions[self.rendition].init, Kind.INIT)
        self.fetch(shown.audio.init, Kind.INIT)
        first = shown.audio.first
        upcoming = (
            first if self.starts_over else max(first, shown.newest - AUDIENCE.start_segments + 1)
        )
        until = min(shown.newest, upcoming + AUDIENCE.start_segments - 1)
        while not shown.ended:
            for number in range(upcoming, until + 1):
                self.fetch(shown.renditions[self.rendition].url(number), Kind.SEGMENT)
                self.fetch(shown.audio.url(number), Kind.SEGMENT)
            upcoming = until + 1
            self.wait(shown.update)
            shown = self._refreshed(shown)
            self._synchronize(shown)
            if self.choose(len(shown.renditions)):
                self.fetch(shown.renditions[self.rendition].init, Kind.INIT)
            self.see(shown.newest, shown.update)
            until = min(upcoming, shown.newest) if self.starts_over else shown.newest

    def _refreshed(self, shown: Presentation) -> Presentation:
        if shown.patch:
            found = patch(self.fetch(shown.patch, Kind.PATCH), shown.patch)
            if found.original == shown.published:
                newest = max(shown.newest, found.newest)
                return replace(shown, published=found.published, patch=found.after, newest=newest)
        return mpd(self.fetch(shown.again, Kind.MPD_AGAIN), shown.again)

    def _synchronize(self, shown: Presentation) -> None:
        if shown.clock and monotonic() - self.synchronized >= _SYNCHRONIZES:
            self.fetch(shown.clock, Kind.TIME)
            self.synchronized = monotonic()


class SmoothViewer(Viewer):
    """As a Smooth player: one manifest, then each fragment names the next ones."""

    weight = 100 - HlsViewer.weight - DashViewer.weight
    files = "index.ism/Manifest"

    def watch(self) -> None:
        """Fetch a fragment whenever one has been played."""
        streams = client_manifest(self.fetch(self.first_url, Kind.SMOOTH), self.first_url)
        picture, audio = streams["video"], streams["audio"]
        times = {name: list(streams[name].times) for name in ("video", "audio")}
        first = 0 if self.starts_over else max(0, len(picture.times) - AUDIENCE.start_segments)
        place = first
        while place < len(times["video"]):
            self.choose(len(picture.bit_rates))
            for name, stream in (("video", picture), ("audio", audio)):
                rate = stream.bit_rates[self.rendition if name == "video" else 0]
                at = times[name][place]
                data = self.fetch(stream.url(rate, at), Kind.FRAGMENT)
                times[name] += [time for time in following(data) if time > times[name][-1]]
            if not self.starts_over:
                # A viewer behind the live edge does not see it.
                self.see(times["video"][-1], ceil(picture.duration))
            place += 1
            if place >= first + AUDIENCE.start_segments:
                self.wait(picture.duration)
