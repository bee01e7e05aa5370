"""The value of one metric of this process."""

from prometheus_client import Counter, Gauge


def value_of(metric: Counter | Gauge) -> float:
    """The value of a metric whose labels are set, or which has none."""
    (family,) = metric.collect()
    return family.samples[0].value
