from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from origin.caching.lru import SizedCache, TwoGenerationCache

KEYS = st.integers(0, 5)


@dataclass(eq=False)
class Thing:
    """A value that counts how often it was released."""

    used: bool = False
    gone: int = 0
    sizes: list[int] = field(default_factory=list)

    def let_go(self) -> None:
        self.gone += 1


class Shelves(RuleBasedStateMachine):
    """Cached values fit the capacity; each evicted value was released once."""

    @initialize(most=st.integers(1, 60))
    def make(self, most: int) -> None:
        self.shelf: SizedCache[int, Thing] = SizedCache(most)
        self.put_last: tuple[int, Thing, int] | None = None
        self.things: list[Thing] = []
        self.again: set[int] = set()

    @rule(key=KEYS, size=st.integers(0, 70))
    def put(self, key: int, size: int) -> None:
        thing = Thing()
        self.things.append(thing)
        self.shelf.put(key, thing, size)
        self.put_last = key, thing, size

    @rule(size=st.integers(0, 70))
    def put_again(self, size: int) -> None:
        if self.put_last is not None and self.put_last[1].gone == 0:
            key, thing, _ = self.put_last
            self.shelf.put(key, thing, size)
            self.put_last = key, thing, size

    @rule(index=st.integers(0, 99))
    def use(self, index: int) -> None:
        kept = list(self.shelf._by_key.values())
        if kept:
            kept[index % len(kept)][0].used = True

    @invariant()
    def within_its_bytes(self) -> None:
        kept = self.shelf._by_key.values()
        assert self.shelf.size == sum(size for _, size in kept) <= self.shelf.capacity
        assert len(self.shelf) == len(kept)

    @invariant()
    def let_go_is_what_is_not_kept(self) -> None:
        kept = {id(thing) for thing, _ in self.shelf._by_key.values()}
        for thing in self.things:
            assert thing.gone == (0 if id(thing) in kept else 1)

    @invariant()
    def what_was_put_last_is_there(self) -> None:
        if self.put_last is not None:
            key, thing, size = self.put_last
            there = self.shelf._by_key.get(key)
            assert (there is not None and there[0] is thing) == (size <= self.shelf.capacity)


TestShelves = Shelves.TestCase


@given(st.sets(st.integers(0, 9), max_size=5))
def test_used_values_outlast_unused_ones(used: set[int]) -> None:
    shelf: SizedCache[int, Thing] = SizedCache(10)
    things = [Thing() for _ in range(10)]
    for key, thing in enumerate(things):
        shelf.put(key, thing, 1)
    for key in used:
        things[key].used = True
    for key in range(10, 15):
        shelf.put(key, Thing(), 1)
    assert all(not things[key].gone for key in used)
    # To be used once is enough for once.
    for key in range(20, 45):
        shelf.put(key, Thing(), 1)
    assert all(thing.gone == 1 for thing in things)


@given(st.lists(st.tuples(KEYS, st.booleans()), max_size=60), st.integers(1, 4))
def test_recent_things_are_found_and_never_more_than_twice_as_many(
    steps: list[tuple[int, bool]], most: int
) -> None:
    recent: TwoGenerationCache[int, str] = TwoGenerationCache(most)
    order: list[int] = []
    for key, put in steps:
        if put:
            recent.put(key, f"{key}")
        found = recent.find(key)
        assert found in (None, f"{key}")
        if put or found is not None:
            order = [k for k in order if k != key] + [key]
        # The last `most` different keys are known.
        assert put is False or found is not None
        for last in order[-most:]:
            assert last in recent.newest or last in recent._older
        assert len(recent.newest) <= most
        assert len(recent.newest | recent._older) <= 2 * most
