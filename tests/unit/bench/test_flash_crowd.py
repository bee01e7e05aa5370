"""The reckoning of the flash crowd: all at once is the same as request by request."""

from dataclasses import replace

import numpy as np
import pytest

from bench.flash_crowd import caches, simulation
from bench.flash_crowd.caches import OWNER_SHIFT, TICKS, Cache, later, misses, misses_one_by_one
from bench.flash_crowd.demand import Demand, Requests, Viewers, audience, chunks, of_edges, owned
from bench.flash_crowd.model import MEDIA, POLICIES, Audience, Fleet, Kind, Ladder, Policy

LADDER = Ladder((8_000_000, 4_500_000, 900_000, 192_000), 1.92)
AUDIENCE = Audience(viewers=300, horizon=30, ramp=5, stay=40, start_over=0.2, switch=0.1)
FLEET = Fleet(edges=5, cdns=2, shields=2)
SETTING = simulation.Setting(AUDIENCE, FLEET, LADDER)
NGINX = Policy("nginx", whole_seconds=True)


def everything(policy: Policy, behaviour: Audience = AUDIENCE) -> tuple[Viewers, Requests]:
    viewers = audience(behaviour, FLEET, LADDER)
    return viewers, Demand(viewers, behaviour, FLEET, LADDER, policy.staleness).asked()


def one_by_one(policy: Policy) -> tuple[int, list[int]]:
    """Requests that edges forward, and their arrivals at the origin: one by one."""
    edge, shield = SETTING.tiers(policy)
    viewers, asked = everything(policy)
    keys = []
    for place, viewer in zip(asked.place.tolist(), asked.viewer.tolist(), strict=True):
        kind = Kind(place >> caches.KIND_SHIFT & 15)
        own = policy.private == "all" or (policy.private == "manifests" and kind not in MEDIA)
        # Private copies have owners beyond all edges.
        owner = FLEET.edges + viewer if own else int(viewers.edge[viewer])
        keys.append(owner << OWNER_SHIFT | place)
    sent = [key + edge.fill // 2 for key in misses_one_by_one(keys, edge)]
    if shield is None:
        return len(sent), [key & caches.TIME_MASK for key in sent]
    behind = []
    for key in sent:
        owner = key >> OWNER_SHIFT
        if owner < FLEET.edges:
            owner = FLEET.shield_of(owner) - (1 << 19)
        behind.append(owner << OWNER_SHIFT | key & ((1 << OWNER_SHIFT) - 1))
    arrived = misses_one_by_one(behind, shield)
    return len(sent), [(key + shield.fill // 2) & caches.TIME_MASK for key in arrived]


@pytest.mark.parametrize("policy", [*POLICIES, NGINX], ids=lambda policy: policy.name)
def test_all_at_once_is_request_by_request(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    # Small crowds in one piece: what a chunk draws by chance depends on where it begins.
    monkeypatch.setattr(simulation, "_CHUNK", AUDIENCE.viewers)
    [outcome] = simulation.simulate(SETTING, [policy], processes=1)
    sent, times = one_by_one(policy)
    assert outcome.edge_sent == sent
    bins = np.bincount(
        np.array(times) // (TICKS // 20), minlength=outcome.origin.requests.shape[1]
    )[: outcome.origin.requests.shape[1]]
    assert outcome.origin.requests.sum(axis=0).tolist() == bins.tolist()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("collapses", [True, False])
@pytest.mark.parametrize("whole_seconds", [True, False])
def test_any_tier(seed: int, collapses: bool, whole_seconds: bool) -> None:  # noqa: FBT001
    random = np.random.default_rng(seed)
    count = 2000
    kind = random.choice([int(Kind.TIME), int(Kind.SEGMENT), int(Kind.MPD)], count)
    place = kind.astype(np.int64) << caches.KIND_SHIFT | random.integers(0, 10 * TICKS, count)
    keys = owned(Requests(place, np.zeros(count, dtype=np.int64)), random.integers(0, 6, count))
    ttl = [0] * len(Kind)
    ttl[Kind.TIME], ttl[Kind.SEGMENT] = caches.NEVER, [caches.FOREVER, 3 * TICKS][seed % 2]
    ttl[Kind.MPD] = [0, TICKS, 50][seed % 3]
    tier = Cache(tuple(ttl), 3000, collapses, whole_seconds)
    assert misses(keys, tier).tolist() == misses_one_by_one(keys.tolist(), tier)


def test_chunks_are_whole_edges() -> None:
    viewers = audience(AUDIENCE, FLEET, LADDER)
    parts = list(chunks(viewers, 60))
    assert sum(map(len, parts)) == len(viewers)
    edges = [set(part.edge.tolist()) for part in parts]
    assert sum(map(len, edges)) == len(set().union(*edges))


def test_viewers_request_only_existing_objects() -> None:
    viewers, asked = everything(POLICIES[0])
    kind, number = asked.place >> caches.KIND_SHIFT, asked.place >> caches.TIME_BITS & 1023
    now = caches.times(asked.place) / TICKS
    published = (number + 1) * LADDER.segment - AUDIENCE.event_age
    for which, ahead in ((Kind.SEGMENT, 0.0), (Kind.FRAGMENT, LADDER.segment)):
        some = kind == which
        assert some.any()
        # Times are rounded down.
        assert (published[some] + ahead <= now[some] + 1 / TICKS).all()
    assert (now < viewers.leave[asked.viewer] + 1 / TICKS).all()


def test_a_viewer_of_hls_has_every_segment_once() -> None:
    behaviour = replace(
        AUDIENCE, viewers=1, hls=1.0, dash=0.0, start_over=0.0, stay=1e9, switch=0.0
    )
    _, asked = everything(POLICIES[0], behaviour)
    kind = asked.place >> caches.KIND_SHIFT
    segments = asked.place[kind == Kind.SEGMENT]
    numbers = np.sort(segments >> caches.TIME_BITS & 1023)
    expected = np.arange(numbers[0], numbers[-1] + 1).repeat(2)
    assert numbers.tolist() == expected.tolist()
    # Three at once when it joins, then one for each 1.92 s.
    assert (
        3 + (behaviour.horizon - behaviour.ramp) / 1.92 - 3
        < len(numbers) / 2
        < 3 + behaviour.horizon / 1.92 + 1
    )


def test_moved_keys_stay_in_order_at_the_largest_time() -> None:
    keys = np.array([caches.TIME_MASK - 1, (1 << OWNER_SHIFT) | 5], dtype=np.int64)
    assert later(keys, 10).tolist() == [caches.TIME_MASK, (1 << OWNER_SHIFT) | 15]


def test_more_viewers_cost_an_origin_behind_shields_hardly_more() -> None:
    """What collapsing is: the origin's load goes by edges and objects, not by viewers."""
    few, many = (
        simulation.simulate(
            replace(SETTING, behaviour=replace(AUDIENCE, viewers=count)), POLICIES[1:2], processes=1
        )[0]
        for count in (2000, 8000)
    )
    assert many.edge.total() > 3.9 * few.edge.total()
    assert many.origin.total() < 1.3 * few.origin.total()


def test_edges_have_their_own_keys() -> None:
    viewers, asked = everything(POLICIES[0])
    keys = of_edges(viewers, asked)
    assert (np.diff(keys) >= 0).all()
    assert set((keys >> OWNER_SHIFT).tolist()) == set(viewers.edge.tolist())
