"""A day of faults in random order: sound and picture are in step after each, and at the end."""

from collections.abc import Iterator
from random import Random

import pytest

from packager.timing.ticks import MICROS
from packager.timing.time_alignment import TimeAlignment
from packager.timing.timestamp_counter import FLV_TIMESTAMPS, TS_TIMESTAMPS, TimestampCounter

pytestmark = pytest.mark.extended

DAY = 24 * 3600 * MICROS
STEPS = (200_000, 128_000)
"""Microseconds of a video and an audio frame."""
JITTER = 30_000
"""Microseconds that the network delays a frame by at most."""
SETTLED = 90 * MICROS
"""Microseconds after a fault from which the streams must be in step."""
IN_STEP = 25_000
FAULTS = ("jump", "jump alone", "small jump alone", "restart alone", "stall", "loss", "loss alone")


class Encoder:
    """Sends two streams, with a fault every two to six minutes."""

    def __init__(self, counter: TimestampCounter, random: Random, burst: int) -> None:
        self._counter, self._random, self._burst = counter, random, burst
        # The counter wraps in the first hour.
        self._epochs = [-3600 * MICROS] * 2
        self._lost_until = [0, 0]
        self._late_until = 0
        self.faults: list[str] = []
        self.last_fault = -SETTLED

    def units(self) -> Iterator[tuple[int, int, int, int]]:
        """Stream, true time, ticks and arrival."""
        next_fault, times, last = 60 * MICROS, [0, 0], 0
        while (true := min(times)) < DAY:
            stream = times.index(true)
            times[stream] += STEPS[stream]
            if true >= next_fault:
                self._begin_fault(true)
                next_fault = true + self._random.randrange(120 * MICROS, 360 * MICROS)
            if true < self._lost_until[stream]:
                continue
            arrived = true + self._random.randrange(JITTER)
            if stream and self._burst:
                arrived += -true % self._burst
            if true < self._late_until:
                arrived = max(arrived, self._late_until)
            last = max(last, arrived)
            ticks = (true + self._epochs[stream]) * self._counter.rate // MICROS
            yield stream, true, ticks % self._counter.modulus, last

    def _begin_fault(self, true: int) -> None:
        random = self._random
        fault, stream = random.choice(FAULTS), random.randrange(2)
        far = random.randrange(-DAY, DAY)
        match fault:
            case "jump":
                self._epochs = [epoch + far for epoch in self._epochs]
            case "jump alone":
                self._epochs[stream] += far
            case "small jump alone":
                by = random.randrange(300_000, 3 * MICROS)
                self._epochs[stream] += random.choice([-by, by])
            case "restart alone":
                self._epochs[stream] = -true + random.randrange(60 * MICROS)
                self._lost_until[stream] = true + random.randrange(3 * MICROS)
            case "stall":
                self._late_until = true + random.randrange(6 * MICROS)
            case "loss":
                self._lost_until = [true + random.randrange(8 * MICROS)] * 2
            case _:
                self._lost_until[stream] = true + random.randrange(20 * MICROS)
        self.faults.append(fault)
        self.last_fault = true


@pytest.mark.parametrize("burst", [0, 300_000])
@pytest.mark.parametrize("counter", [TS_TIMESTAMPS, FLV_TIMESTAMPS], ids=["ts", "flv"])
def test_sound_and_picture_are_in_step_after_a_day(counter: TimestampCounter, burst: int) -> None:
    encoder, alignment = Encoder(counter, Random(17), burst), TimeAlignment(counter)
    offsets = [0, 0]
    worst, latest = 0, [0, 0]
    for stream, true, ticks, arrived in encoder.units():
        time = ticks + alignment.shift(stream, ticks, arrived)
        assert counter.difference(time, latest[stream]) > 0 or not latest[stream]
        latest[stream] = time
        offsets[stream] = time * MICROS // counter.rate - true
        if true - encoder.last_fault > SETTLED:
            apart = offsets[0] - offsets[1]
            span = counter.modulus * MICROS // counter.rate
            worst = max(worst, abs((apart + span // 2) % span - span // 2))
    assert set(encoder.faults) == set(FAULTS)
    assert worst < IN_STEP
