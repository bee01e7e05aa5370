"""Real caches in front of real origins: the parts of a CDN on one machine.

    viewers -> edge -> shield -> origin A, or else origin B

Edge and shield run the configurations that are shipped in deploy/.
"""

import asyncio
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from fractions import Fraction
from pathlib import Path
from typing import Literal

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from yarl import URL

from packager.host.metrics_folder import clear
from packager.timing.clock import SystemClock
from tests.paths import ROOT
from tests.support.channel import GRID, Packager, packager
from tests.support.service import fetch, free_port, wait_until
from tests.support.site import Answer

Kind = Literal["nginx", "varnish"]

DEPLOY = ROOT / "deploy"
HOLDS = "3s"
"""How long the shield lets an origin think: longer than any of these origins holds a request."""
PATIENCE = 30.0
"""Seconds: the longest wait for any step."""


def program(name: str) -> str:
    """The path of a program that Debian leaves out of the PATH of users other than root."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert found, f"{name} is not there: tests/system-packages installs it"
    return found


def filled_in(template: str, folder: Path, **values: str | int) -> str:
    """A shipped template with these values, filled in as docs/cdn.md describes."""
    environment = folder / "values.env"
    lines = [f"{name}={shlex.quote(str(value))}\n" for name, value in values.items()]
    environment.write_text("".join(lines))
    command = [str(DEPLOY / "fill-in"), str(environment), str(DEPLOY / template)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def running(command: Sequence[str], log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a program until the end of the block; an early exit shows its output."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
    try:
        yield process
    except BaseException:
        sys.stdout.write(f"{command[0]}:\n{log.read_text(errors='replace')[-4000:]}")
        raise
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def serves(port: int) -> bool:
    """Whether /healthz answers with 200."""
    with suppress(OSError):
        return fetch(f"http://127.0.0.1:{port}/healthz").status == 200
    return False


@contextmanager
def cache(
    kind: Kind, folder: Path, behind: Sequence[int], timeout: str, failover_on: str
) -> Iterator[int]:
    """A cache in front of the servers on two ports; yields the cache's own port."""
    folder.mkdir()
    port = free_port()
    values = {
        "LISTEN": f"127.0.0.1:{port}",
        "ORIGIN_1": f"127.0.0.1:{behind[0]}",
        "ORIGIN_2": f"127.0.0.1:{behind[-1]}",
        "ORIGIN_TIMEOUT": timeout,
        "HOLD_TIMEOUT": timeout,
        "FAILOVER_ON": failover_on,
        "CACHE": str(folder),
        "CACHE_SIZE": "1g",
        "ACCESS_LOG": str(folder / "access.log"),
    }
    command = _nginx(folder, values) if kind == "nginx" else _varnish(folder, values)
    with running(command, folder / "log"):
        wait_until(lambda: serves(port), f"{kind} on port {port}")
        yield port


def _nginx(folder: Path, values: Mapping[str, str]) -> list[str]:
    shutil.copy(DEPLOY / "nginx" / "nginx.conf", folder)
    text = filled_in("nginx/ringside.conf.template", folder, **values)
    (folder / "ringside.conf").write_text(text)
    directives = f"daemon off; pid {folder}/nginx.pid;"
    if os.geteuid() == 0:
        directives += " user root;"  # only root can read the folders of a test
    return [program("nginx"), "-e", "stderr", "-c", str(folder / "nginx.conf"), "-g", directives]


def _varnish(folder: Path, values: Mapping[str, str]) -> list[str]:
    vcl = folder / "ringside.vcl"
    vcl.write_text(filled_in("varnish/ringside.vcl.template", folder, **values))
    listen, work = values["LISTEN"], str(folder / "work")
    options = ["-F", "-j", "none", "-a", listen, "-f", str(vcl), "-n", work, "-s", "malloc,64m"]
    return [program("varnishd"), *options]


@dataclass
class Origin:
    """An origin process with its own folder of journals and media."""

    folder: Path
    channels: Sequence[str]
    port: int = field(default_factory=free_port)
    control_port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.folder / "data"

    def start(self) -> None:
        """Start the origin, also after a kill."""
        self.folder.mkdir(exist_ok=True)
        config = self.folder / "ringside.yaml"
        config.write_text(
            f"data: data\norigin: {{host: 127.0.0.1, port: {self.port},"
            f" control_port: {self.control_port}}}\nchannels:\n"
            + "".join(
                f"  {name}: {{source: {{type: pattern}}, ladder: hd, window: 10m}}\n"
                for name in self.channels
            )
        )
        command = [sys.executable, "-m", "origin", "-c", str(config)]
        self.process = self.stack.enter_context(running(command, self.folder / "log"))
        wait_until(lambda: serves(self.port), f"an origin on port {self.port}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; after SIGKILL, wait for the end of the process."""
        assert self.process is not None
        self.process.send_signal(number)
        if number is signal.SIGKILL:
            self.process.wait()

    def stop(self) -> None:
        """End the process if it runs, and forget its data."""
        self.stack.close()
        clear(self.data)

    def count(self, channel: str, *kinds: str, status: int = 0) -> int:
        """The number of answered requests of these kinds and this status; by default of any."""
        text = fetch(f"http://127.0.0.1:{self.control_port}/metrics").text
        samples = [
            sample
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "ringside_requests_total" and sample.labels["channel"] == channel
        ]
        return int(
            sum(
                sample.value
                for sample in samples
                if (not kinds or sample.labels["kind"] in kinds)
                and (not status or sample.labels["status"] == str(status))
            )
        )


@dataclass(frozen=True)
class Feed:
    """A channel that several packagers publish with equal content, each for its own origin."""

    name: str
    made: tuple[Packager, ...]

    @property
    def edge(self) -> int:
        """The newest segment's number."""
        return self.made[-1].journal.timeline.edge

    def publish(self, *numbers: int, size: int = 1000) -> None:
        """Publish segments."""
        for number in numbers:
            for one in self.made:
                one.whole(number, size=size)

    def trim(self, number: int) -> None:
        """Trim the segments before this number."""
        for one in self.made:
            one.trim(number)

    def catch_up(self) -> None:
        """Publish the segments up to now: a live edge that stays is refused after a while."""
        now = self.made[0].grid.number_at_micros(SystemClock().now())
        self.publish(*range(self.edge + 1, now + 1))

    def resume(self) -> None:
        """Continue at the current time in a new period."""
        now = self.made[0].grid.number_at_micros(SystemClock().now())
        for one in self.made:
            one.begin(1, now - 1)
        self.publish(now - 1, now)

    def path(self, file: str) -> str:
        """The path of a file of the channel."""
        return f"/live/{self.name}/{file}"

    def segment(self, number: int) -> str:
        """The path of a segment of video."""
        return self.path(f"v0/{number}.m4s")


@dataclass
class Chain:
    """Edge, shield and two origins."""

    edge: int
    shield: int
    origins: tuple[Origin, Origin]
    kinds: tuple[Kind, Kind]
    """The kinds of edge and shield."""

    def count(self, channel: str, *kinds: str, status: int = 0) -> int:
        """The number of requests that both origins answered."""
        return sum(origin.count(channel, *kinds, status=status) for origin in self.origins)

    def feed(
        self,
        name: str,
        segment: Fraction = GRID.duration,
        segments: int = 6,
        ago: int = 0,
        origins: Sequence[Origin] = (),
    ) -> Feed:
        """Begin a channel: its newest segment is that of now, or one of so many before."""
        chosen = tuple(origins) or self.origins
        feed = Feed(name, tuple(packager(origin.data, segment, name) for origin in chosen))
        grid = feed.made[0].grid
        edge = grid.number_at_micros(SystemClock().now()) - ago
        for one in feed.made:
            one.begin(0, edge - segments + 1)
        feed.publish(*range(edge - segments + 1, edge + 1))
        for origin in chosen:
            url = f"http://127.0.0.1:{origin.port}{feed.segment(edge)}"
            wait_until(lambda url=url: fetch(url, "HEAD").status == 200, f"{name} at its origin")
        # An origin counts a request after its response.
        wait_until(lambda: all(one.count(name, "segment", status=200) for one in chosen), "counts")
        return feed


@contextmanager
def chain(folder: Path, edge: Kind, shield: Kind, channels: Sequence[str]) -> Iterator[Chain]:
    """An edge and a shield of the given kinds in front of two origins of these channels."""
    with ExitStack() as stack:
        origins = (Origin(folder / "a", channels), Origin(folder / "b", channels))
        for origin in origins:
            stack.callback(origin.stop)
            origin.start()
        ports = [origin.port for origin in origins]
        inner = stack.enter_context(
            cache(shield, folder / "shield", ports, HOLDS, "404 410 412 503")
        )
        outer = stack.enter_context(cache(edge, folder / "edge", [inner], "15s", "503"))
        yield Chain(outer, inner, origins, (edge, shield))


@dataclass(frozen=True)
class Viewers:
    """Viewers that send requests to one port."""

    port: int
    session: aiohttp.ClientSession

    async def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Request a path, and check the rules that hold for every response."""
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        async with self.session.request(method, url, headers=headers, allow_redirects=False) as got:
            answer = Answer(got.status, got.headers, await got.read())
        # nginx repeats the header for a range outside of the body.
        (caching,) = set(answer.headers.getall("Cache-Control"))
        assert re.fullmatch(r"no-store|public, max-age=\d+(, immutable)?", caching), answer.headers
        assert answer.one("Access-Control-Allow-Origin") == "*"
        assert parsedate_to_datetime(answer.one("Date")).tzinfo is not None
        assert "Set-Cookie" not in answer.headers
        return answer

    async def crowd(
        self, paths: Sequence[str], headers: Mapping[str, str] | None = None
    ) -> list[Answer]:
        """Request all of these paths at once."""
        return await asyncio.gather(*(self.ask(path, headers=headers) for path in paths))

    async def until(self, path: str, wanted: Callable[[Answer], bool]) -> list[Answer]:
        """Repeat a request until a response is as wanted; all responses, that one last."""
        answers: list[Answer] = []
        async with asyncio.timeout(PATIENCE):
            while not answers or not wanted(answers[-1]):
                answers.append(await self.ask(path))
                await asyncio.sleep(0.02)
        return answers


@asynccontextmanager
async def viewers(port: int) -> AsyncIterator[Viewers]:
    """A client session for any number of viewers."""
    async with aiohttp.ClientSession(
        auto_decompress=False,
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=PATIENCE),
        skip_auto_headers=("Accept-Encoding", "User-Agent"),
    ) as session:
        yield Viewers(port, session)


def word(answer: Answer) -> str:
    """The edge's own verdict on a response: the last item of `X-Cache`."""
    return answer.one("X-Cache").rpartition(", ")[2]


def was_hit(answer: Answer) -> bool:
    """Whether the edge served its own copy."""
    return word(answer) == "HIT"
