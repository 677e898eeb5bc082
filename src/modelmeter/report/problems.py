"""What is wrong, each in one sentence with its numbers, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from modelmeter.report.schema import FeaturePart, Findings, MetricPart, ProblemPart, RatePart
from modelmeter.report.words import count, figure, percent, shortened

CHECKS: Final = (
    "canary",
    "profile",
    "schema",
    "absent",
    "invalid",
    "missing",
    "unseen",
    "out_of_range",
    "performance",
    "drift",
    "prediction",
    "estimated",
    "errors",
    "libraries",
    "monitoring",
)
"""Every check of `ProblemPart`, the worst first."""

RATE_WORDS: Final[Mapping[str, str]] = {
    "missing": "missing",
    "unseen": "never seen in training",
    "invalid": "of the wrong type",
    "out_of_range": "outside the range of training",
    "absent": "without the column",
}
"""What the rows that a rate counts are."""

_ORDER: Final = {check: place for place, check in enumerate(CHECKS)}
_MINOR: Final = 2
_LEVELS: Final = ("the same", "patch", "minor", "major")


def problems_of(findings: Findings) -> list[ProblemPart]:
    """Return everything that is wrong.

    Parameters
    ----------
    findings
        All else of them.
    """
    found = [
        *_of_features(findings),
        *_of_performance(findings),
        *_of_errors(findings),
        *_of_skew(findings),
        *_of_monitoring(findings),
    ]
    return sorted(found, key=lambda problem: _ORDER[problem["check"]])


def rate_sentence(name: str, rate: RatePart) -> str:
    """Say a rate beside training's: ``6 % of pressure missing (training 2 %)``."""
    what = RATE_WORDS[rate["check"]]
    live, training = percent(rate["rate"]), percent(rate["training_rate"])
    if rate["check"] == "absent":
        return f"{live} of rows come without the column {shortened(name)}"
    return f"{live} of {shortened(name)} {what} (training {training})"


def figure_name(metric: MetricPart) -> str:
    """Say which figure: ``accuracy``, ``recall of late``."""
    name = metric["metric"].replace("_", " ")
    return f"{name} of {shortened(metric['class'])}" if metric["class"] else name


def _of_features(findings: Findings) -> Iterator[ProblemPart]:
    for part in (*findings["predictions"], *findings["features"]):
        name = part["name"]
        if part["drift"]["state"] == "alarm":
            check = "drift" if part["role"] == "feature" else "prediction"
            yield {"check": check, "feature": name, "text": _drift_sentence(part)}
        for rate in part["rates"]:
            if rate["state"] == "alarm":
                text = rate_sentence(name, rate)
                yield {"check": rate["check"], "feature": name, "text": text}


def _drift_sentence(part: FeaturePart) -> str:
    drift = part["drift"]
    text = (
        f"{shortened(part['name'])} drifted: PSI beyond noise {figure(drift['psi_excess'])}, "
        f"threshold {figure(drift['threshold'])}"
    )
    if not part["moved"]:
        return text
    most = part["bins"][part["moved"][0]]
    live, training = percent(most["share"]), percent(most["training_share"])
    return f"{text}; {shortened(most['label'])} has {live}, training {training}"


def _of_performance(findings: Findings) -> Iterator[ProblemPart]:
    performance = findings["performance"]
    for metric in performance["metrics"] if performance is not None else ():
        if metric["baseline"] is None or performance is None:
            continue
        then = figure(metric["baseline"]["value"])
        for check, word, side, rows in (
            ("performance", "", metric["realised"], performance["labelled_rows"]),
            ("estimated", "estimated ", metric["estimated"], performance["predicted_rows"]),
        ):
            if side is not None and side["state"] == "alarm":
                now = f"{word}{figure_name(metric)} {figure(side['value'])}"
                text = f"{now} is worse than in training, {then}; {count(rows)} rows"
                yield {"check": check, "feature": None, "text": text}


def _of_errors(findings: Findings) -> Iterator[ProblemPart]:
    signals, matters = findings["signals"], findings["judging"]["rate_difference"]
    if signals is None:
        return
    for share, text in (
        (signals["prediction_error_ratio"], "of rows made the model raise an error"),
        (signals["error_ratio"], "of requests failed with a status of 500 or more"),
    ):
        if share is not None and share > matters:
            yield {"check": "errors", "feature": None, "text": f"{percent(share)} {text}"}


def _of_skew(findings: Findings) -> Iterator[ProblemPart]:
    skew = findings["skew"]
    canary = skew["canary"]
    if canary is not None and canary["different"] + canary["failed"] > 0:
        total = sum((canary["equal"], canary["different"], canary["failed"]))
        bad = canary["different"] + canary["failed"]
        text = f"{count(bad)} of {count(total)} canary rows are not answered as in training"
        yield {"check": "canary", "feature": None, "text": text}
    known, served = findings["model"]["profile_hash"], skew["profile_hash"]
    if served is not None and served != known:
        text = f"the service has another profile ({served}) than this one ({known})"
        yield {"check": "profile", "feature": None, "text": text}
    checks, matters = skew["schema_checks"], findings["judging"]["rate_difference"]
    for one in skew["schema"]:
        # A single stray request is none: the columns must differ as often as any rate must.
        if one["check"] != "extra" and one["count"] > matters * checks:
            text = _schema_sentence(one["feature"], one["check"], one["count"] / (checks or 1))
            yield {"check": "schema", "feature": one["feature"] or None, "text": text}
    for library in skew["libraries"]:
        if library["mismatch"] >= _MINOR and library["library"] != "modelmeter":
            text = (
                f"{library['library']} serves in {library['serving']}, trained in "
                f"{library['training']}: another {_LEVELS[library['mismatch']]} version"
            )
            yield {"check": "libraries", "feature": None, "text": text}


def _schema_sentence(feature: str, check: str, share: float) -> str:
    often = "" if share >= 1 else f" in {percent(share)} of comparisons"
    if check == "missing":
        return f"the column {shortened(feature)} is not there{often}"
    if check == "dtype":
        return f"{shortened(feature)} is of another type than in training{often}"
    return f"columns come in another order than in training{often}"


def _of_monitoring(findings: Findings) -> Iterator[ProblemPart]:
    for one in findings["monitoring"]["failures"]:
        text = f"monitoring failed {count(one['count'])} times in {one['where']}"
        yield {"check": "monitoring", "feature": None, "text": text}
    for one in findings["monitoring"]["dropped"]:
        text = f"{count(one['count'])} {one['where']} were dropped: {one['reason']}"
        yield {"check": "monitoring", "feature": None, "text": text}
