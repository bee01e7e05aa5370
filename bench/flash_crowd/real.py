"""The same, small and measured: packager, origin, nginx as edges and shield, viewers by Locust.

The requests that reach the origin are read from its metrics.
"""

import csv
import getpass
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from socket import socket

import psutil

from packager.timing.clock import SystemClock
from packager.timing.ticks import MICROS, iso8601

from .model import Audience, Fleet, Kind, Ladder, Policy
from .simulation import Outcome, Setting, simulate
from .tables import number, table

_ROOT = Path(__file__).parent.parent.parent
_CHANNEL, _EVENT = "demo", "fight"
_EDGES = 2
_SEEDS = 5
"""Simulated crowds that are averaged: the result of a small crowd is random."""
_COUNTED = re.compile(
    rb'^ringside_requests_total\{channel="[^"]*",kind="([^"]*)",status="[^"]*"\} ([0-9.e+]+)$',
    re.MULTILINE,
)
POLICIES = (
    Policy("edges, shield", whole_seconds=True),
    Policy("edges, no shield", whole_seconds=True, shield=False),
    Policy(
        "edges, shield, no request collapsing",
        whole_seconds=True,
        edge_collapses=False,
        shield_collapses=False,
    ),
)
"""Policies of the measurement; nginx expires copies at whole seconds."""


@dataclass(frozen=True)
class Site:
    """The running processes and their folder."""

    folder: Path
    origin: int
    """Ports."""
    control: int
    began: float
    """Start of the event, in Unix seconds."""


@dataclass(frozen=True)
class Measured:
    """The measurement."""

    asked: Counter[str]
    """Requests of viewers, by kind."""
    arrived: Counter[str]
    """Requests at the origin, by kind."""
    peak: float
    """Requests in the worst second at the origin."""
    failures: dict[str, int]
    age: float
    """Seconds from the event's start to the first join."""
    edge_fill: float
    """Mean seconds from a miss to its response, at the edge and at the shield."""
    shield_fill: float
    busy: float
    """CPU use in per cent; near 100 the machine is the limit."""


def _port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: Sequence[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program until the end of the block."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, cwd=_ROOT, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bytes(answer.read())


def _arrived(site: Site) -> Counter[str]:
    """Requests at the origin so far, by kind."""
    counted: Counter[str] = Counter()
    for kind, count in _COUNTED.findall(_get(f"http://127.0.0.1:{site.control}/metrics")):
        counted[kind.decode()] += round(float(count))
    return counted


@contextmanager
def site(folder: Path, ladder: str) -> Iterator[Site]:
    """Run a channel with an event."""
    now = SystemClock().now()
    origin, control = _port(), _port()
    path = folder / "ringside.yaml"
    path.write_text(
        f"data: data\norigin: {{host: 127.0.0.1, port: {origin}, control_port: {control}}}\n"
        f"channels:\n  {_CHANNEL}:\n    source: {{type: pattern}}\n    ladder: {ladder}\n"
        f"    events: {{{_EVENT}: {{start: {iso8601(now)}}}}}\n"
    )
    command = [sys.executable, "-m", "packager", "run", "-c", str(path)]
    with _running(command, folder / "ringside.log"):
        playlist = f"http://127.0.0.1:{origin}/live/{_CHANNEL}/audio/index.m3u8"
        for _ in range(600):
            try:
                if _get(playlist).count(b"#EXTINF") >= 8:
                    break
            except OSError:
                pass
            time.sleep(0.1)
        else:
            raise SystemExit(f"nothing on air: {folder / 'ringside.log'}")
        yield Site(folder, origin, control, now / MICROS)


def _caches(folder: Path, origin: int, edges: Sequence[int], policy: Policy) -> str:
    """Configuration of nginx: the edges and the shield, each with its own cache."""
    shield = _port()
    tiers = [(f"edge{index}", port, policy.edge_collapses) for index, port in enumerate(edges)]
    upstream = {name: shield if policy.shield else origin for name, _, _ in tiers}
    if policy.shield:
        tiers.append(("shield", shield, policy.shield_collapses))
        upstream["shield"] = origin
    servers = "".join(
        _server(folder, name, port, upstream[name], collapses=collapses)
        for name, port, collapses in tiers
    )
    # Workers keep the user that started nginx, which owns the folder.
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    return (
        f"{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log warn;\n"
        "worker_processes 1; worker_rlimit_nofile 16384; events { worker_connections 8192; }\n"
        # Only for misses: the time of the request upstream.
        "http {\nlog_format upstream '$upstream_response_time';\n"
        'map $upstream_response_time $asked { "" 0; default 1; }\n'
        f"access_log off; proxy_temp_path {folder}/temp;\n"
        f"client_body_temp_path {folder}/body; fastcgi_temp_path {folder}/f;\n"
        f"uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 1000000;\n"
        f"{servers}}}\n"
    )


def _server(folder: Path, name: str, port: int, upstream: int, *, collapses: bool) -> str:
    collapsing = (
        "proxy_cache_lock on; proxy_cache_lock_age 5s; proxy_cache_lock_timeout 5s;\n"
        # The lock is for missing copies. While one request renews an expired copy, the
        # others get the old one.
        "proxy_cache_use_stale updating;\n"
        if collapses
        else ""
    )
    return (
        f"proxy_cache_path {folder}/{name} keys_zone={name}:8m max_size=1g use_temp_path=off;\n"
        f"upstream of_{name} {{ server 127.0.0.1:{upstream}; keepalive 256; "
        "keepalive_requests 1000000; }\n"
        f"server {{\nlisten 127.0.0.1:{port} backlog=4096; proxy_http_version 1.1;\n"
        # The path, with the one query that changes a response.
        f'proxy_set_header Connection ""; proxy_cache_key "$uri?$arg__HLS_skip";\n'
        f"location / {{ proxy_pass http://of_{name}; proxy_cache {name};\n"
        f"access_log {folder}/{name}.times upstream if=$asked; {collapsing}}}\n"
        # Not stored, so a lock would only serialize the requests.
        f"location ~ ^/live/[^/]+/time$ {{ proxy_pass http://of_{name}; }}\n}}\n"
    )


def _crowd(site: Site, behaviour: Audience, edges: Sequence[int], policy: Policy) -> Measured:
    """Run the crowd, and count."""
    folder = Path(tempfile.mkdtemp(dir=site.folder))
    config = folder / "nginx.conf"
    config.write_text(_caches(folder, site.origin, edges, policy))
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        raise SystemExit("nginx is needed for this: apt-get install nginx")
    urls = ",".join(f"http://127.0.0.1:{port}" for port in edges)
    command = [
        sys.executable, "-m", "locust", "-f", str(_ROOT / "bench/locustfile.py"), "--headless",
        "--host", urls.partition(",")[0], "--edges", urls, "--channel", _CHANNEL,
        "--event", _EVENT, "--crowd", str(behaviour.viewers), "--ramp", str(behaviour.ramp),
        "--watch", str(behaviour.horizon - behaviour.ramp), "--leave", "0",
        "--csv", str(folder / "locust"),
    ]  # fmt: skip
    with _running([nginx, "-p", str(folder), "-c", str(config)], folder / "nginx.out"):
        time.sleep(1)
        before = counts = _arrived(site)
        began = time.time()
        peak, moment = 0.0, time.monotonic()
        psutil.cpu_percent()
        with (folder / "locust.log").open("wb") as log:
            locust = subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=log)
            while locust.poll() is None:
                time.sleep(max(0.0, moment + 1 - time.monotonic()))
                was, counts = counts, _arrived(site)
                passed, moment = time.monotonic() - moment, time.monotonic()
                peak = max(peak, (counts.total() - was.total()) / passed)
        busy = psutil.cpu_percent()
    asked, failures = _locust_counts(folder)
    edge, shield = (_fill(folder.glob(f"{tier}*.times")) for tier in ("edge", "shield"))
    age = began - site.began
    return Measured(asked, counts - before, peak, failures, age, edge, shield, busy)


def _fill(logs: Iterable[Path]) -> float:
    times = [float(line) for log in logs for line in log.read_text().split()]
    return sum(times) / max(1, len(times))


def _locust_counts(folder: Path) -> tuple[Counter[str], dict[str, int]]:
    """The counts of Locust."""
    asked: Counter[str] = Counter()
    with (folder / "locust_stats.csv").open() as file:
        for row in csv.DictReader(file):
            if row["Type"] == "GET":
                asked[row["Name"]] += int(row["Request Count"])
    with (folder / "locust_failures.csv").open() as file:
        failures = {
            f"{row['Name']}: {row['Error']}": int(row["Occurrences"])
            for row in csv.DictReader(file)
        }
    return asked, failures


def _predicted(setting: Setting, policy: Policy) -> list[Outcome]:
    """The prediction of the model, averaged over some crowds."""
    crowds = (
        replace(setting, behaviour=replace(setting.behaviour, seed=seed)) for seed in range(_SEEDS)
    )
    return [simulate(crowd, [policy], processes=1)[0] for crowd in crowds]


def _compared(
    policy: Policy, behaviour: Audience, predicted: Sequence[Outcome], seen: Measured
) -> Iterator[str]:
    """Tables of prediction and measurement."""
    head = [
        policy.name, "viewers ask: predicted", "measured", "ratio",
        "arrives: predicted", "measured", "ratio",
    ]  # fmt: skip
    rows = [
        [kind.label, *_pair(_mean(o.edge.total(kind) for o in predicted), seen.asked[kind.label]),
         *_pair(_mean(o.origin.total(kind) for o in predicted), seen.arrived[kind.label])]
        for kind in Kind
    ]  # fmt: skip
    arrived = _pair(_mean(outcome.origin.total() for outcome in predicted), seen.arrived.total())
    asked = _pair(_mean(outcome.edge.total() for outcome in predicted), seen.asked.total())
    peak = _pair(_mean(outcome.origin.per_second().max() for outcome in predicted), seen.peak)
    yield from table(head, [*rows, ["all", *asked, *arrived], ["worst second", "", "", "", *peak]])
    hits = 1 - seen.arrived.total() / max(1, seen.asked.total())
    failed = "; ".join(f"{count} {what}" for what, count in seen.failures.items()) or "none"
    yield (
        f"\n{behaviour.viewers} viewers, {behaviour.horizon:g} s; "
        f"{100 * hits:.1f} % were answered by caches; "
        f"from a miss to its answer {1000 * seen.edge_fill:.0f} ms at an edge, "
        f"{1000 * seen.shield_fill:.0f} ms at the shield; "
        f"the machine was {seen.busy:.0f} % busy; failures: {failed}\n"
    )


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known)


def _pair(predicted: float, measured: float) -> list[str]:
    ratio = f"{measured / predicted:.2f}" if predicted else ""
    return [number(predicted), number(measured), ratio]


def report(behaviour: Audience, ladder: Ladder, name: str) -> Iterator[str]:
    """Prediction and measurement for each policy."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crowd")))
        here = stack.enter_context(site(folder, name))
        for policy in POLICIES:
            edges = [_port() for _ in range(_EDGES)]
            seen = _crowd(here, behaviour, edges, policy)
            fleet = Fleet(_EDGES, 1, 1, 0.0, seen.edge_fill, seen.shield_fill)
            setting = Setting(replace(behaviour, event_age=seen.age), fleet, ladder)
            yield from _compared(policy, behaviour, _predicted(setting, policy), seen)
