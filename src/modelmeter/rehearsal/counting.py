"""Counts the rows of a history by step, with the code that counts them live."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modelmeter import names
from modelmeter.live.counts import merged
from modelmeter.live.kept import Form
from modelmeter.live.observer import Observer
from modelmeter.live.outputs import Answer, OutputCounter, class_score_rows, is_by_class
from modelmeter.live.placing import place_column, plans_of
from modelmeter.names import Metric
from modelmeter.profile.facts import Y_PRED, Y_SCORE
from modelmeter.profile.profile import Profile
from modelmeter.rehearsal.history import Part
from modelmeter.rehearsal.table import Family, Places, Table

_ROWS = f"{names.PREDICTION_ROWS.name}_count"

# What training looked like; the rest of what a service exports is about the service.
_REFERENCE = (
    names.REFERENCE_ROWS,
    names.REFERENCE_GAP,
    names.REFERENCE_VARIATION,
    names.OUTCOME_RATIO,
    names.REFERENCE_SCORE,
    names.REFERENCE_ERROR,
    names.REFERENCE_PERFORMANCE,
    names.REFERENCE_PERFORMANCE_ERROR,
)


def reference_families(profile: Profile) -> list[Family]:
    """Return what a service would say of training: of all rows together, not by segment."""
    known = {metric.name for metric in _REFERENCE}
    found = []
    for family in merged([Observer(profile).counts]):
        if family.metric.name in known:
            rows = list(family.rows)
            whole = [i for i, row in enumerate(rows) if is_whole(family.metric, row)]
            chosen = [rows[i] for i in whole]
            values = family.values[whole]
            found.append(Family(family.metric.name, family.metric.labels, chosen, values))
    return found


def is_whole(metric: Metric, row: Sequence[str]) -> bool:
    """Tell whether a series is of all rows: segments are not judged, and cost as much again."""
    return "segment" not in metric.labels or not row[metric.labels.index("segment")]


class RowCounter:
    """Counts rows and the answers to them into a table.

    Parameters
    ----------
    profile
        Of the model.
    """

    def __init__(self, profile: Profile) -> None:
        self._labels = (profile.name, profile.version)
        self._profile = profile
        observer = Observer(profile)
        self._plans = plans_of(profile)
        self._features = self._plans[: len(profile.features)]
        self._outputs = OutputCounter(
            profile, self._plans[len(profile.features) :], observer.counts
        )
        self._starts = {plan.name: plan.start for plan in self._plans[len(profile.features) :]}
        self.form = Form(profile)

    def families(self) -> list[Family]:
        """Return the series that it counts."""
        metric, profile = names.FEATURE_BIN, self._profile
        bins = [
            (*self._labels, role, feature.name, place.kind, place.ord, place.label, "")
            for role, some in (("feature", profile.features), ("prediction", profile.predictions))
            for feature in some
            for place in feature.bins.bins
        ]
        absent = [(*self._labels, plan.name) for plan in self._features]
        found = [
            Family(metric.name, metric.labels, bins),
            Family(names.FEATURE_ABSENT.name, names.FEATURE_ABSENT.labels, absent),
            Family(
                names.PREDICTIONS.name,
                names.PREDICTIONS.labels,
                [(*self._labels, outcome) for outcome in ("ok", "error")],
            ),
            Family(_ROWS, names.PREDICTION_ROWS.labels, [self._labels]),
        ]
        if is_by_class(profile):
            rows = [r for r in class_score_rows(profile) if is_whole(names.CLASS_SCORE, r)]
            found.append(Family(names.CLASS_SCORE.name, names.CLASS_SCORE.labels, rows))
        return found

    def count(self, part: Part, steps: Places, table: Table) -> Answer | None:
        """Count rows.

        Parameters
        ----------
        part
            The rows.
        steps
            In which step each falls, shape (n_rows,).
        table
            Made with `families`, perhaps among others.

        Returns
        -------
        Answer or None
            What labels are counted by; None where it is not known what the model answered.
        """
        start = table.starts[names.FEATURE_BIN.name]
        for plan in self._features:
            places = place_column(plan.bins, part.features[plan.name])
            table.add(steps, start + plan.start + places)
        table.add(steps, table.starts[names.PREDICTIONS.name])
        # How rows came together is not known: as if one after the other.
        table.add(steps, table.starts[_ROWS])
        outputs = self._outputs.bring(part.y_pred, part.y_score)
        if outputs is None:
            return None
        answer = self._outputs.answer("history", 0.0, outputs)
        for name, found in ((Y_PRED, answer.pred), (Y_SCORE, answer.score)):
            if found is not None and name in self._starts:
                table.add(steps, start + self._starts[name] + np.asarray(found))
        where, cells = self._outputs.confidence_cells(outputs)
        if len(cells):
            table.add(steps[where], table.starts[names.CLASS_SCORE.name] + cells)
        return answer
