"""The results as Markdown."""

from collections.abc import Iterable, Iterator, Sequence
from math import ceil

import numpy as np

from .model import MANIFESTS, MEDIA, Capacity, Kind
from .simulation import Load, Outcome

_CLASSES = {"manifests": MANIFESTS, "media": MEDIA, "time": (Kind.TIME,)}


def table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """A table, line by line."""
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def number(value: float) -> str:
    """A number with two or three digits: the model is no more precise."""
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    if value >= 9950:
        return f"{value / 1e3:.3g} k"
    return f"{value:.0f}" if value >= 10 or value == 0 else f"{value:.2g}"


def cores(load: Load, capacity: Capacity) -> float:
    """Origin cores that the worst second needs: small responses and bits both cost time."""
    requests = load.per_second() / capacity.requests
    bits = load.size * 8 / (capacity.gbits * 1e9)
    return float(np.max(requests + bits))


def origins(load: Load, capacity: Capacity) -> int:
    """Origins for the load, and as many again in case one fails."""
    return 2 * max(1, ceil(cores(load, capacity) / capacity.cores))


def by_policy(outcomes: Sequence[Outcome], capacity: Capacity) -> Iterator[str]:
    """Requests that reach the origin under each policy."""
    head = [
        "caches", "edge hits", "shield hits", "requests/s, mean", "99th percentile second", "peak",
        "of them manifests", "media", "time", "worst 50 ms", "Gbit/s, mean", "peak",
        "cores busy", "origins",
    ]  # fmt: skip
    return table(head, (_policy(outcome, capacity) for outcome in outcomes))


def _policy(outcome: Outcome, capacity: Capacity) -> Iterator[str]:
    origin = outcome.origin
    rate = origin.per_second()
    yield outcome.policy.name
    yield _share(outcome.edge_hits)
    yield _share(outcome.shield_hits) if outcome.policy.shield else ""
    yield number(rate.mean())
    yield number(np.percentile(rate, 99))
    yield number(rate.max())
    for which in _CLASSES.values():
        yield number(origin.per_second(*which).max())
    yield number(origin.burst)
    for size in (origin.size.mean(), origin.size.max()):
        yield f"{size * 8 / 1e9:.3g}"
    yield f"{cores(origin, capacity):.2g}"
    yield str(origins(origin, capacity))


def _share(value: float) -> str:
    return f"{100 * value:.4g} %" if value < 0.999 else f"{100 * value:.4f} %"


def by_kind(outcome: Outcome) -> Iterator[str]:
    """Requests of viewers and arrivals at the origin, by kind."""
    head = ["kind", "viewers ask, requests/s, mean", "peak", "origin, mean", "99th", "peak"]
    rows = []
    for kind in Kind:
        asked, arrived = outcome.edge.per_second(kind), outcome.origin.per_second(kind)
        if asked.any():
            values = [asked.mean(), asked.max(), arrived.mean()]
            values += [np.percentile(arrived, 99), arrived.max()]
            rows.append([kind.label, *map(number, values)])
    return table(head, rows)
