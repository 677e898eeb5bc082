"""The same history for Prometheus's own rule manager, by way of ``promtool test rules``."""

from __future__ import annotations

import json

import numpy as np

from modelmeter.rehearsal.counting import RowCounter, reference_families
from modelmeter.rehearsal.history import Columns, History
from modelmeter.rehearsal.table import Table


def series_of(frame, profile, *, start, step, steps, folder):
    """Return what had been counted of a history by the end of each step, as input series."""
    counter = RowCounter(profile)
    table = Table(folder / "table", steps, counter.families())
    for part in History(frame, profile, Columns(time="time")).parts():
        where = np.ceil((part.times - start) / step).astype(int)
        counter.count(part, where, table)
    (chunk,) = table.chunks([range(steps)])
    found = []
    for family in (*reference_families(profile), *table.families):
        at = table.starts.get(family.name)
        for i, row in enumerate(family.rows):
            pairs = zip(family.labels, row, strict=True)
            listed = ",".join(f"{label}={json.dumps(text)}" for label, text in pairs)
            if at is None:
                values = f"{float(family.constant[i])!r}+0x{steps}"
            else:
                values = " ".join(map(repr, chunk.values[:, at + i].tolist()))
            found.append({"series": f"{family.name}{{{listed}}}", "values": values})
    return found


def rules_of(book):
    """Return all rules of a book as one group's."""
    alerts = [
        {"alert": a.alert, "expr": a.expr, "for": f"{a.hold:.0f}s", "labels": dict(a.labels)}
        for layer in book.alerts
        for a in layer
    ]
    return [*(dict(rule.fields) for layer in book.layers for rule in layer), *alerts]


def questions(found, steps):
    """Return what the rule manager must say where each episode begins and ends, and in all."""
    firing, asked = 0, []

    def ask(expr, step, value):
        samples = [{"labels": "{}", "value": value}] if value else []
        time = f"{step * found.step:.0f}s"
        asked.append({"expr": expr, "eval_time": time, "exp_samples": samples})

    for one in found.episodes:
        matchers = {"alertname": one.alert, "alertstate": "firing", **one.labels}
        chosen = ",".join(f"{label}={json.dumps(text)}" for label, text in matchers.items())
        first = round((one.began - found.start) / found.step)
        after = steps if one.ended is None else round((one.ended - found.start) / found.step)
        firing += after - first
        for step in (first - 1, first, after - 1, after):
            if step < steps:
                ask(f"count(ALERTS{{{chosen}}})", step, int(first <= step < after))
    whole = f"{steps * found.step:.0f}s"
    ask(f'sum(count_over_time(ALERTS{{alertstate="firing"}}[{whole}]))', steps - 1, firing)
    return asked
