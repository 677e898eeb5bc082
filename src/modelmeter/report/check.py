"""Whether findings pass: what fails, what is only told, and what cannot be told."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from modelmeter._errors import ConfigurationError
from modelmeter.report.problems import CHECKS
from modelmeter.report.schema import Findings, ProblemPart, State
from modelmeter.report.words import count, listed

PASSED: Final = 0
FAILED: Final = 1
CANNOT_TELL: Final = 2

_TOLD: Final = ("ok", "alarm")
_JUDGED: Final = {"performance": "realised", "estimated": "estimated"}


@dataclass(frozen=True)
class Checked:
    """What a check comes to.

    Parameters
    ----------
    findings
        What it is about.
    fail_on
        The checks that count.
    failed, others
        Problems that count, and those that do not.
    cannot_tell
        Checks asked for of which nothing can be said.
    """

    findings: Findings
    fail_on: Sequence[str]
    failed: Sequence[ProblemPart]
    others: Sequence[ProblemPart]
    cannot_tell: Sequence[str]

    @property
    def exit_code(self) -> int:
        """0 passed, 1 something failed, 2 it cannot be told."""
        if self.failed:
            return FAILED
        return CANNOT_TELL if self.cannot_tell else PASSED

    @property
    def outcome(self) -> str:
        """What it comes to, without what the findings say: a line, and one for each problem."""
        if self.exit_code == PASSED:
            return "passed"
        if self.exit_code == CANNOT_TELL:
            model, rows = self.findings["model"], count(self.findings["rows"])
            name = f"{model['name']}/{model['version']}"
            why = "; ".join(filter(None, (_why(self.findings, one) for one in self.cannot_tell)))
            told = f"cannot tell {listed(self.cannot_tell, most=8)} of {name} from {rows} rows"
            return f"{told}: {why}" if why else told
        return "\n".join(f"- {one['check']}: {one['text']}" for one in self.failed)

    @property
    def text(self) -> str:
        """What it comes to, in full."""
        if self.exit_code == CANNOT_TELL:
            return self.outcome
        model = self.findings["model"]
        return f"{model['name']}/{model['version']}: {self.findings['verdict']}\n{self.outcome}"

    def document(self) -> dict[str, Any]:
        """Return the outcome with its findings, as JSON can hold it."""
        return {
            "exit_code": self.exit_code,
            "fail_on": list(self.fail_on),
            "failed": list(self.failed),
            "others": list(self.others),
            "cannot_tell": list(self.cannot_tell),
            "findings": self.findings,
        }


def check_findings(findings: Findings, fail_on: Collection[str] | None = None) -> Checked:
    """Decide what findings come to.

    Parameters
    ----------
    findings
        From `summarise`.
    fail_on
        Checks (`CHECKS`) whose problems count; None for all of them. Of a check that is named
        here something must be told; with None it is enough that drift can be told.

    Raises
    ------
    ConfigurationError
        There is no such check, or none is named.
    """
    chosen = CHECKS if fail_on is None else _known(fail_on)
    problems = findings["problems"]
    untold = [check for check in chosen if _is_untold(findings, check, asked=fail_on is not None)]
    if fail_on is None:
        # Whatever else cannot be told: there may be no labels, and rare values need more rows.
        untold = [check for check in untold if check == "drift"]
    return Checked(
        findings,
        chosen,
        [one for one in problems if one["check"] in chosen],
        [one for one in problems if one["check"] not in chosen],
        untold,
    )


def states_of(findings: Findings, check: str) -> Iterator[tuple[str, State]]:
    """Yield what is known by one check: of which feature or figure, and its state."""
    parts = {"drift": findings["features"], "prediction": findings["predictions"]}
    for part in parts.get(check, []):
        yield part["name"], part["drift"]["state"]
    if check not in parts:
        for part in (*findings["features"], *findings["predictions"]):
            for rate in part["rates"]:
                if rate["check"] == check:
                    yield part["name"], rate["state"]
    side = _JUDGED.get(check)
    for metric in findings["performance"]["metrics"] if side and findings["performance"] else ():
        figure = metric["realised"] if side == "realised" else metric["estimated"]
        if figure is not None and figure["state"] is not None:
            yield metric["metric"], figure["state"]


def _is_untold(findings: Findings, check: str, *, asked: bool) -> bool:
    """Tell whether nothing can be said by a check that somebody asks for."""
    states = [state for _, state in states_of(findings, check)]
    if not states:
        # Of the others nothing is ever to be told but problems.
        return asked and check in (*_JUDGED, "prediction")
    return not any(state in _TOLD for state in states)


def _why(findings: Findings, check: str) -> str:
    """Say why nothing can be said by a check, where it is not simply the number of rows."""
    if check == "prediction":
        answered = any(part["rows"] for part in findings["predictions"])
        return "" if answered else "no row has an answer of the model"
    performance = findings["performance"]
    if check not in _JUDGED or performance is None:
        return ""
    if check == "estimated":
        return "" if performance["predicted_rows"] else "no row has an answer of the model"
    labels = performance["labelled_rows"]
    if not labels:
        return "no answer of the model has a true value beside it"
    return f"{count(labels)} true values are too few to see every loss that matters"


def _known(fail_on: Collection[str]) -> list[str]:
    given = [fail_on] if isinstance(fail_on, str) else list(fail_on)
    unknown = [check for check in given if check not in CHECKS]
    if unknown or not given:
        what = f"not {unknown[0]!r}" if unknown else "at least one of them"
        raise ConfigurationError(f"fail_on names checks, {what}: {', '.join(CHECKS)}")
    return [check for check in CHECKS if check in given]
