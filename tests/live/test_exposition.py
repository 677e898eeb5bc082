"""What a scrape says is what was counted, in both formats, whatever the labels hold."""

import math
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from modelmeter import names
from modelmeter.live.counts import Counts, Family
from modelmeter.live.exposition import Exposition, collect, family_name, render
from real.web import check_metrics

HOSTILE = (
    'say "hi"',
    "back\\slash",
    "back\\\\n",
    "line\nbreak",
    "100 %d %s %(a)s %%",
    "{brace} }",
    "a,b=c",
    "Zürich 東京 🛫 \u2028 \x00 \x7f \r",
    " ",
    "",
    "x" * 10_000,
)


def samples(families):
    """Return every sample's value by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def both(counts):
    """Return the samples as parsed from the text format and from OpenMetrics."""
    text = render([counts]).decode()
    open_ = render([counts], openmetrics=True).decode() + "# EOF\n"
    return samples(parse_text(text)), samples(parse_openmetrics(open_))


def one_of_each():
    """Return counts with some series of every metric there is."""
    counts = Counts()
    for metric in names.ALL:
        rows = [tuple(f"{value}{i}" for i in range(len(metric.labels))) for value in HOSTILE]
        block = counts.block(metric, rows if metric.labels else [()])
        block.values[...] = 1
        if metric.type == "histogram":
            block.values[:, -1] = 2.5
    return counts


def test_text_format():
    """The text format has help, type and one line per value."""
    counts = Counts()
    counts.block(names.FAILURES, [("a",), ("b",)]).values[:] = (1, 2)
    counts.block(
        replace(
            names.FAILURES, name="test_seconds", type="histogram", help="H.", buckets=(0.5, 1, 1e6)
        ),
        [("a",)],
    ).values[:] = [1, 0, 2, 4, 12.25]
    assert render([counts]).decode() == (
        "# HELP modelmeter_failures_total "
        "Failures of the monitoring itself, which never reach a prediction.\n"
        "# TYPE modelmeter_failures_total counter\n"
        'modelmeter_failures_total{where="a"} 1\n'
        'modelmeter_failures_total{where="b"} 2\n'
        "# HELP test_seconds H.\n"
        "# TYPE test_seconds histogram\n"
        'test_seconds_bucket{where="a",le="0.5"} 1\n'
        'test_seconds_bucket{where="a",le="1.0"} 1\n'
        'test_seconds_bucket{where="a",le="1e+06"} 3\n'
        'test_seconds_bucket{where="a",le="+Inf"} 7\n'
        'test_seconds_sum{where="a"} 12.25\n'
        'test_seconds_count{where="a"} 7\n'
    )


def test_openmetrics_families():
    """OpenMetrics names counters and infos without their suffixes, and has the info type."""
    lines = render([one_of_each()], openmetrics=True).decode().splitlines()
    assert "# TYPE http_requests counter" in lines
    assert "# TYPE model info" in lines
    assert "# EOF" not in lines
    text = render([one_of_each()]).decode().splitlines()
    assert "# TYPE http_requests_total counter" in text
    assert "# TYPE model_info gauge" in text


def test_nothing_counted_renders_nothing():
    """Without series there is no text, rather than a header without values."""
    counts = Counts()
    counts.block(names.FAILURES, [])
    assert render([counts]) == render([counts], openmetrics=True) == b""


def test_promtool_finds_no_fault():
    """Every metric there is, with hostile label values, passes promtool in silence."""
    assert check_metrics(render([one_of_each()])) == ""


def test_promtool_would_find_a_fault():
    """The check above can fail: promtool objects to a counter without _total."""
    counts = Counts()
    counts.block(replace(names.FAILURES, name="failures"), [("a",)])
    assert "_total" in check_metrics(render([counts]))


@pytest.mark.parametrize("parsed", [0, 1], ids=["text", "openmetrics"])
def test_hostile_labels_come_back_as_they_were(parsed):
    """Quotes, backslashes, newlines, percent signs and long text survive both formats."""
    counts = Counts()
    counts.block(names.FAILURES, [(value,) for value in HOSTILE]).values[:] = range(len(HOSTILE))
    assert both(counts)[parsed] == {
        (names.FAILURES.name, frozenset({("where", value)})): i for i, value in enumerate(HOSTILE)
    }


@settings(deadline=None)
@given(
    labels=st.lists(st.text(), unique=True, min_size=1),
    values=st.lists(st.integers(0, 2**51), min_size=3, max_size=3),
    total=st.floats(0, 1e300),
    gauge=st.floats(),
)
def test_parsed_equals_counted(labels, values, total, gauge):
    """Any text as a label and any number as a value is parsed back from both formats."""
    counts = Counts()
    rows = counts.block(names.FAILURES, [(label,) for label in labels]).rows
    counts.blocks[0].values[:] = values[0]
    any_gauge = replace(
        names.FAILURES, name="test_ratio", type="gauge", integer=False, help='50 % "of"\\\nit'
    )
    counts.block(any_gauge, rows).values[:] = gauge
    histogram = replace(names.FAILURES, name="test_rows", type="histogram", buckets=(1, 2.5))
    counts.block(histogram, rows).values[:] = [*values, total]
    want = {}
    for (label,) in rows:
        where = ("where", label)
        want[names.FAILURES.name, frozenset({where})] = values[0]
        want["test_ratio", frozenset({where})] = gauge
        want["test_rows_bucket", frozenset({where, ("le", "1.0")})] = float(values[0])
        want["test_rows_bucket", frozenset({where, ("le", "2.5")})] = float(sum(values[:2]))
        want["test_rows_bucket", frozenset({where, ("le", "+Inf")})] = float(sum(values))
        want["test_rows_count", frozenset({where})] = float(sum(values))
        want["test_rows_sum", frozenset({where})] = total
    for got in both(counts):
        assert got.keys() == want.keys()
        for key, value in want.items():
            assert got[key] == value or (math.isnan(got[key]) and math.isnan(value))


@pytest.mark.parametrize("wrong", [math.nan, math.inf, 1e300])
def test_a_number_that_is_not_whole_does_not_lose_the_scrape(wrong):
    """A faulty value in a family of whole numbers is shown as it is, and the rest with it."""
    counts = Counts()
    counts.block(names.FAILURES, [("a",), ("100%d",)]).values[:] = (wrong, 2)
    got = samples(parse_text(render([counts]).decode()))
    assert got[names.FAILURES.name, frozenset({("where", "100%d")})] == 2
    assert str(got[names.FAILURES.name, frozenset({("where", "a")})]) == str(wrong)


def test_a_second_rendering_has_new_values_and_new_series():
    """The prepared text is filled with the values of now and grows with the series."""
    counts = Counts()
    exposition = Exposition()
    exposition.add(counts)
    assert exposition.render() == b""
    block = counts.block(names.FAILURES, [("a",)])
    for value in (1, 2):
        block.cells[0] = value
        assert exposition.render().endswith(f'{{where="a"}} {value}\n'.encode())
    counts.block(names.FAILURES, [("b",)])
    assert exposition.render().endswith(b'{where="a"} 2\nmodelmeter_failures_total{where="b"} 0\n')
    assert exposition.families()[0].rows == (("a",), ("b",))


def test_collect_gives_the_same_samples():
    """As a collector in a registry the counts say the same as when rendered."""
    counts = one_of_each()
    registry = CollectorRegistry()
    registry.register(Exposition([counts]))
    text, open_ = both(counts)
    assert samples(parse_text(generate_latest(registry).decode())) == text
    assert samples(parse_openmetrics(generate_openmetrics(registry).decode())) == open_
    assert samples(collect([counts])).keys() == open_.keys()


def provided(*rows, metric=names.LABELS_WAITING):
    """Return what provides a family with these rows, of the values 1, 2, ..."""
    return lambda: [Family(metric, tuple(rows), np.arange(1.0, len(rows) + 1))]


def test_families_of_providers_follow_the_counts_each_once():
    """What functions provide comes after the counts, a metric and a series once."""
    counts = Counts()
    counts.block(names.DROPPED, [("labels", "full")])  # comes last of all by itself
    exposition = Exposition([counts])
    one, two = provided(("a",), ("b",)), provided(("b",), ("c",))
    for provider in (one, two, one):
        exposition.add_families(provider)
    text = exposition.render().decode()
    assert [line for line in text.splitlines() if line.startswith("# TYPE")] == [
        "# TYPE modelmeter_dropped_total counter",
        "# TYPE modelmeter_labels_waiting gauge",
    ]
    assert (
        samples(parse_text(text))
        == samples(exposition.collect())
        == {
            ("modelmeter_dropped_total", frozenset({("where", "labels"), ("reason", "full")})): 0,
            ("modelmeter_labels_waiting", frozenset({("store", "a")})): 1,
            ("modelmeter_labels_waiting", frozenset({("store", "b")})): 1,  # the last one's
            ("modelmeter_labels_waiting", frozenset({("store", "c")})): 2,
        }
    )
    assert check_metrics(text) == ""


def test_a_provider_is_asked_at_each_reading():
    """Series that a function provides come, change and go with what it says."""
    families = []
    exposition = Exposition()
    exposition.add_families(lambda: families)
    assert exposition.render() == b""
    families[:] = provided(("a",))()
    assert exposition.render().endswith(b'modelmeter_labels_waiting{store="a"} 1\n')
    families[:] = provided(("a",), ("b",))()
    assert exposition.render().endswith(b'{store="a"} 1\nmodelmeter_labels_waiting{store="b"} 2\n')
    families[:] = provided(("c",))()  # as many as there were once, of another name
    assert exposition.render().endswith(b'modelmeter_labels_waiting{store="c"} 1\n')
    assert b'"a"' not in exposition.render()
    families.clear()
    assert exposition.render() == b""


def test_providers_are_asked_at_the_same_time():
    """Providers that wait wait together: they could all meet at one barrier."""
    barrier = threading.Barrier(3)

    def waiting(name):
        def provider():
            barrier.wait(20)
            return provided((name,))()

        return provider

    exposition = Exposition()
    for name in "abc":
        exposition.add_families(waiting(name))
    assert len(exposition.families()[0].rows) == 3


def test_family_name():
    """Only OpenMetrics leaves out the suffix, and only of counters and infos."""
    assert family_name(names.FAILURES, openmetrics=True) == "modelmeter_failures"
    assert family_name(names.FAILURES, openmetrics=False) == "modelmeter_failures_total"
    assert family_name(names.MODEL_INFO, openmetrics=True) == "model"
    assert family_name(names.HTTP_DURATION, openmetrics=True) == names.HTTP_DURATION.name
