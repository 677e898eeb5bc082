"""Which rules are evaluated, in which order, and which alerts history cannot tell of."""

from __future__ import annotations

import dataclasses
import re

import pytest

from modelmeter.generate.alerts import names
from modelmeter.generate.settings import Settings
from modelmeter.rehearsal.rulebook import Alerting, Recording, layered, names_in, ordered, rulebook


def rule(record, expr):
    return Recording(record, {"record": record, "expr": expr})


def test_rules_stand_after_those_that_they_read():
    """A layer reads only what layers before it record; what nobody needs is left out."""
    rules = [
        rule("a:rows", "sum(raw_total)"),
        rule("a:rows", "sum_over_time(a:rows[1d])"),
        rule("b:share", "a:rows / c:all"),
        rule("c:all", "count(other)"),
        rule("d:unused", "a:rows"),
    ]
    layers, reads = ordered(rules, ['b:share{x="d:unused"} > 1'])
    assert layers == [[rules[0], rules[3]], [rules[1]], [rules[2]]]
    assert {"raw_total", "other"} <= reads
    assert "d:unused" not in reads


def test_rules_that_read_each_other_are_refused():
    """A circle cannot be evaluated over a whole history."""
    with pytest.raises(ValueError, match="read each other"):
        ordered([rule("a:x", "b:y"), rule("b:y", "a:x")], ["a:x"])


def test_alerts_stand_after_those_that_silence_them():
    """An alert that reads whether another fires is evaluated after it, whatever the order."""
    told = 'x:y unless on () ALERTS{alertname=~"B|C",alertstate="firing"}'
    a, b, c = Alerting("A", told), Alerting("B", "x:y"), Alerting("C", 'ALERTS{alertname="D"}')
    assert layered([a, b, c]) == [[b, c], [a]]
    everything = Alerting("E", "count(ALERTS)")
    with pytest.raises(ValueError, match=r"wait for each other: \['E'\]"):
        layered([everything, b])
    with pytest.raises(ValueError, match="wait for each other"):
        layered([a, Alerting("B", 'ALERTS{alertname!="C"}')])


def test_alerts_of_one_name_are_told_apart_by_their_labels():
    """A long window may ask whether the short one of the same name fires, and not the reverse."""
    long = Alerting("A", 'x unless ALERTS{alertname="A",window="1h",feature="b"}')
    long = dataclasses.replace(long, labels={"window": "1d"})
    short = Alerting("A", "x", labels={"window": "1h"})
    assert layered([long, short]) == [[short], [long]]


@pytest.mark.parametrize(("predictions", "labels"), [(False, False), (True, False), (True, True)])
def test_every_alert_is_rehearsed_or_its_reason_named(profile, predictions, labels):
    """No generated alert is forgotten, and what there is decides which can be told."""
    book = rulebook(profile, Settings(), step=300_000, predictions=predictions, labels=labels)
    rehearsed = {alert.alert for layer in book.alerts for alert in layer}
    assert rehearsed.isdisjoint(book.not_rehearsed)
    known = set(names.AREA_OF) - set(names.AREAS["performance"]) - set(names.BATCHES)
    assert known <= rehearsed | set(book.not_rehearsed)
    assert names.FEATURE_DRIFT in rehearsed
    assert (names.PREDICTION_DRIFT in rehearsed) == predictions


def test_segments_are_not_judged(profile):
    """No alert reads a segment: a history is counted as a whole only."""
    book = rulebook(profile, Settings(), step=300_000, predictions=True, labels=True)
    for layer in book.alerts:
        for alert in layer:
            assert set(re.findall(r'segment[=~!]+"([^"]*)"', alert.expr)) <= {""}


def test_names_are_found_outside_of_quotation_marks():
    """Words of an expression are found, not those of its texts."""
    assert names_in('a:b{c="d \\" e"} or f') == {"a:b", "c", "or", "f"}
