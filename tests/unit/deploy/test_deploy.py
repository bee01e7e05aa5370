"""Dashboard, rules and docs speak of metrics that the code exports, and of their labels."""

import json
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from tempfile import TemporaryDirectory
from typing import Any

import promql_parser as promql
import pytest
import yaml
from prometheus_client import REGISTRY, Metric

import origin
import packager
from origin.runtime.journal.follower import FollowedChannel
from origin.runtime.telemetry.metrics import BuildCollector, TimelineCollector
from packager.feed.advice import CLOCK_PPM, EARLY_AUDIO_MS, LATE_AUDIO_MS
from packager.timing.ticks import UtcMicros
from tests.paths import ROOT
from tests.support.channel import channel

DASHBOARD = ROOT / "deploy/grafana/ringside.json"
RULES = ROOT / "deploy/prometheus/alerts.yaml"
SCRAPE = ROOT / "deploy/prometheus/prometheus.yaml"
DOCS = ROOT / "docs/metrics.md"

SCRAPED = {"job", "instance"}
"""Labels that Prometheus adds to each series."""

Labels = Mapping[str, frozenset[str]]
"""Labels of each series, by its name."""


# Metrics of the code.


@cache
def families() -> dict[str, tuple[Metric, frozenset[str]]]:
    """Every metric with its labels, by the name of its series."""
    for package in (origin, packager):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    found: dict[str, tuple[Metric, frozenset[str]]] = {}
    collectors: Any = REGISTRY._collector_to_names
    for collector in collectors:
        if type(collector).__module__.startswith("prometheus_client.metrics"):
            for family in collector.describe():
                found[series_name(family)] = family, frozenset(collector._labelnames)
    for family in (*BuildCollector().collect(), *timeline_families()):
        found[series_name(family)] = family, frozenset(family.samples[0].labels)
    return {name: family for name, family in found.items() if name.startswith("ringside_")}


def series_name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def timeline_families() -> list[Metric]:
    """Metrics made at each scrape, of a channel that has all of them."""
    with TemporaryDirectory() as folder:
        made = channel(Path(folder))
        followed = FollowedChannel("tv", made.folder, Fraction(60), Fraction(60))
        followed.catch_up()
        followed.close()
        made.journal.close()
    collector = TimelineCollector({"tv": followed}, lambda: UtcMicros(0))
    return list(collector.collect())


def exported() -> Labels:
    """The series of all metrics."""
    series = {"up": frozenset(SCRAPED)}
    for name, (family, labels) in families().items():
        every = labels | SCRAPED
        if family.type == "histogram":
            series |= {f"{name}_count": every, f"{name}_sum": every}
            series[f"{name}_bucket"] = every | {"le"}
        else:
            series[name] = every
    return series


# Queries.


class UnknownError(Exception):
    """A query names a series or label that does not exist."""


def labels_of(query: Any, known: Labels) -> frozenset[str]:
    """The labels of a query's result.

    Raises:
        UnknownError: a series or a label does not exist.
    """
    match query:
        case promql.VectorSelector(name=name, matchers=matchers):
            if name not in known:
                raise UnknownError(f"no series {name}")
            return within({one.name for one in matchers.matchers}, known[name], query)
        case promql.MatrixSelector(vector_selector=inner):
            return labels_of(inner, known)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return labels_of(query.expr, known)
        case promql.AggregateExpr(expr=inner, modifier=modifier):
            return labels_of_aggregate(query, modifier, labels_of(inner, known))
        case promql.BinaryExpr(lhs=left, rhs=right):
            sides = labels_of(left, known), labels_of(right, known)
            if query.modifier and query.modifier.matching:
                within(query.modifier.matching.labels, sides[0] & sides[1], query)
            return sides[0] or sides[1]
        case promql.Call(func=function, args=arguments):
            below = frozenset[str]().union(*(labels_of(each, known) for each in arguments))
            quantile = {"le"} if function.name == "histogram_quantile" else set[str]()
            return within(quantile, below, query) - quantile
        case promql.NumberLiteral():
            return frozenset()
        case _:
            raise UnknownError(f"unknown expression: {query.prettify()}")


def labels_of_aggregate(query: Any, modifier: Any, below: frozenset[str]) -> frozenset[str]:
    named = frozenset(modifier.labels if modifier else ())
    within(named, below, query)
    if modifier and modifier.type == promql.AggModifierType.Without:
        return below - named
    return named


def within(named: Any, labels: frozenset[str], query: Any) -> frozenset[str]:
    if missing := set(named) - labels:
        raise UnknownError(f"{query.prettify()}: no label {', '.join(sorted(missing))}")
    return labels


def asked(query: str, known: Labels) -> frozenset[str]:
    """The labels of the result of `query`, in the form that Grafana and rules use."""
    for variable, value in (("$__rate_interval", "1m"), ("$__range", "1h")):
        query = query.replace(variable, value)
    return labels_of(promql.parse(query), known)


@pytest.mark.parametrize(
    "query",
    [
        "ringside_nothing",
        'ringside_stale{track="v0"}',
        "ringside_first_byte_seconds",
        "rate(ringside_requests[1m])",
        "sum by (track) (ringside_stale)",
        "histogram_quantile(0.9, rate(ringside_publish_seconds_sum[1m]))",
        "ringside_stale * on (track) ringside_kept_segments",
        "absent(ringside_nothing)",
        "(-ringside_nothing) > 1",
        "max_over_time(ringside_nothing[5m:1m])",
    ],
)
def test_an_unknown_series_or_label_is_found(query: str) -> None:
    with pytest.raises(UnknownError):
        asked(query, exported())


def test_metrics_are_described() -> None:
    assert len(families()) > 30
    for name, (family, _) in families().items():
        assert re.fullmatch(r"[A-Z0-9].{8,}[^.]", family.documentation), name
        assert (family.type == "counter") == name.endswith("_total")


# The dashboard.


def board() -> Any:
    return json.loads(DASHBOARD.read_text())


def panels() -> list[Any]:
    return [panel for panel in board()["panels"] if panel["type"] != "row"]


VARIABLES = {"datasource", "instance", "channel", "cdn"}


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_a_panel(panel: Any) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["datasource"] == panel["datasource"]
        labels = asked(target["expr"], exported())
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels
        # Each line of a plot has its own legend.
        assert labels == set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert set(re.findall(r"\$(\w+)", target["expr"])) <= VARIABLES | {"__rate_interval"}


def test_the_dashboard_names_no_machine() -> None:
    variables = {variable["name"]: variable for variable in board()["templating"]["list"]}
    assert variables.keys() == VARIABLES
    assert variables.pop("datasource")["type"] == "datasource"
    for variable in variables.values():
        values = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"])
        assert values is not None
        within({values[2]}, exported()[values[1]], promql.parse(values[1]))
        assert variable["query"]["query"] == variable["definition"]
    assert not re.search(r"localhost|127\.0\.0\.1|https?:", DASHBOARD.read_text())


def test_panels_do_not_overlap() -> None:
    everything = board()["panels"]
    ids = [panel["id"] for panel in everything]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in everything:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (place["x"] + column, place["y"] + line)
            for column in range(place["w"])
            for line in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


# The rules.


def rules() -> Iterator[Any]:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from group["rules"]


def recorded() -> Labels:
    """Series of the code and of the recording rules; a rule may use rules before it."""
    known = dict(exported())
    for rule in rules():
        if "record" in rule:
            labels = asked(rule["expr"], known)
            # Prometheus' convention: level, metric, operations.
            level, metric, operation = rule["record"].split(":")
            assert set(level.split("_")) == labels
            assert metric.startswith("ringside_")
            assert operation
            known[rule["record"]] = labels
    return known


@pytest.mark.parametrize(
    "alert", [rule for rule in rules() if "alert" in rule], ids=lambda rule: rule["alert"]
)
def test_an_alert(alert: Any) -> None:
    labels = asked(alert["expr"], recorded())
    assert alert["labels"]["severity"] in ("page", "warning")
    assert alert["annotations"].keys() == {"summary", "description", "action"}
    for text in alert["annotations"].values():
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= labels, text
    assert re.search(r"\$labels", alert["annotations"]["summary"])
    assert re.fullmatch(r"\d+[sm]", alert.get("for", "0s"))
    # An alert on a momentary value waits; an alert on a range does not need to.
    assert "for" in alert or re.search(r"increase\(|_over_time\(|offset", alert["expr"])
    assert alert["alert"].startswith("Ringside")


def test_recorded_series_are_used() -> None:
    queries = " ".join(rule["expr"] for rule in rules())
    assert [rule["record"] for rule in rules() if rule.get("record", "") not in queries] == []


def test_the_example_reads_the_rules() -> None:
    example = yaml.safe_load(SCRAPE.read_text())
    assert example["rule_files"] == [RULES.name]
    [job] = example["scrape_configs"]
    assert f'job="{job["job_name"]}"' in RULES.read_text()


# The docs.


def documented() -> dict[str, tuple[frozenset[str], str]]:
    """Labels and meaning of each metric in the tables, by name."""
    rows = re.findall(
        r"^\| `(ringside_\w+)` \| (.*?) \| (.+?) \| (.+?) \|$", DOCS.read_text(), re.MULTILINE
    )
    assert len({row[0] for row in rows}) == len(rows)
    return {
        name: (frozenset(re.findall(r"`(\w+)`", labels)), meaning)
        for name, labels, meaning, _ in rows
    }


def test_the_docs_have_every_metric_and_no_other() -> None:
    assert {name: labels for name, (labels, _) in documented().items()} == {
        name: labels for name, (_, labels) in families().items()
    }


def test_alerts_are_in_the_docs() -> None:
    text = DOCS.read_text()
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert set(re.findall(r"`(Ringside[A-Z]\w+)`", text)) == alerts
    recordings = {rule["record"] for rule in rules() if "record" in rule}
    assert {name for name in recordings if f"`{name}`" in text} == recordings


def test_alerts_of_feeds_have_the_limits_of_the_advice() -> None:
    limits = {
        "RingsideFeedSkewed": ("ringside_feed_skew_seconds", EARLY_AUDIO_MS, LATE_AUDIO_MS, 1000),
        "RingsideFeedClockOff": (
            "ringside_feed_clock_drift_ratio", CLOCK_PPM, CLOCK_PPM, 1_000_000,
        ),
    }  # fmt: skip
    alerts = {rule["alert"]: rule["expr"] for rule in rules() if "alert" in rule}
    for alert, (name, high, low, unit) in limits.items():
        found = re.fullmatch(rf"{name} >= (\S+) or {name} <= -(\S+)", alerts[alert])
        assert found is not None
        above, below = found.groups()
        assert (Fraction(above), Fraction(below)) == (Fraction(high, unit), Fraction(low, unit))
