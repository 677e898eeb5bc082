"""What two profiles measured out of sample, added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from modelmeter._errors import MergeError
from modelmeter.profile.baseline import baseline_of
from modelmeter.profile.calibration import AnyCalibration, Calibration, score_profile
from modelmeter.profile.profile import FeatureProfile, Profile
from modelmeter.profile.segments import Segmentation, Table, segmentation

_LACKING = "of two profiles that were merged one is unmeasured: "


def merge_performance(
    mine: Profile, theirs: Profile, outputs: Sequence[FeatureProfile]
) -> dict[str, Any]:
    """Add up what was measured over all rows.

    Parameters
    ----------
    mine, theirs
        Profiles over the same bins.
    outputs
        Their outputs, merged.

    Returns
    -------
    dict
        ``baseline``, ``calibration`` and ``unmeasured`` of the merged profile.

    Raises
    ------
    MergeError
        One of the two was calibrated by score, the other was not.
    """
    parts = [p for p in (mine, theirs) if p.calibration is not None and p.baseline is not None]
    if len(parts) < 2:
        reasons = dict.fromkeys(p.unmeasured for p in (mine, theirs) if p not in parts)
        reason = "; ".join(text.removeprefix(_LACKING) for text in reasons)
        reason = f"{_LACKING}{reason}" if parts else reason
        return {"baseline": None, "calibration": None, "unmeasured": reason}
    assert mine.calibration is not None
    calibration = _added(mine.calibration, theirs.calibration, mine, outputs)
    assert calibration is not None
    method = _method(mine, theirs)
    baseline = baseline_of(mine.model, outputs, calibration, method)
    return {"baseline": baseline, "calibration": calibration, "unmeasured": ""}


def merge_segments(mine: Profile, theirs: Profile, merged: Profile) -> tuple[Segmentation, ...]:
    """Add up segments.

    Parameters
    ----------
    mine, theirs
        Profiles over the same bins.
    merged
        What they add up to, segments aside.

    Raises
    ------
    MergeError
        They are segmented by different features.
    """
    here, there = [s.feature for s in mine.segments], [s.feature for s in theirs.segments]
    if here != there:
        raise MergeError(f"profiles of different segments: {here} and {there}")
    outputs, found = merged.predictions, []
    for a, b in zip(mine.segments, theirs.segments, strict=True):
        tables = {output: _sum(a.counts[output], b.counts[output]) for output in a.counts}
        if merged.baseline is None:
            nothing = (None,) * len(a.calibrations)
            found.append(Segmentation(a.feature, tables, nothing, nothing))
            continue
        calibrations = [
            _added(one, other, mine, outputs)
            for one, other in zip(a.calibrations, b.calibrations, strict=True)
        ]
        method = merged.baseline.method
        found.append(
            segmentation(
                a.feature, tables, calibrations, facts=mine.model, outputs=outputs, method=method
            )
        )
    return tuple(found)


def _added(
    mine: AnyCalibration | None,
    theirs: AnyCalibration | None,
    profile: Profile,
    outputs: Sequence[FeatureProfile],
) -> AnyCalibration | None:
    if mine is None or theirs is None:
        added = mine or theirs
    else:
        if type(mine) is not type(theirs):
            raise MergeError("calibrations of different kinds")
        added = mine.merge(theirs)  # type: ignore[arg-type]
    if isinstance(added, Calibration) and added.scores:
        # The scores that stand for the bins are those of all rows now.
        scores = score_profile(profile.model, outputs)
        assert scores is not None
        added = replace(added, scores=scores.centers)
    return added


def _method(*parts: Profile) -> str:
    methods = [p.baseline.method for p in parts if p.baseline is not None]
    return "; ".join(dict.fromkeys(one for method in methods for one in method.split("; ")))


def _sum(mine: Table, theirs: Table) -> Table:
    return tuple(map(tuple, (np.asarray(mine) + np.asarray(theirs)).tolist()))
