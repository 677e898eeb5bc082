"""The outcome of a check as machines read it: JUnit's XML, GitHub's annotations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

from modelmeter.report.check import CANNOT_TELL, Checked, states_of
from modelmeter.report.problems import CHECKS

# What XML 1.0 cannot hold, in whatever writing.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FEW: Final = {"few_rows": "too few rows to tell", "few_training_rows": "too few training rows"}


def junit(checked: Checked) -> str:
    """Return the outcome as JUnit's XML: one test case for each check and feature.

    Problems that do not count, and what cannot be told, are skipped cases; a check that was
    asked for and of which nothing can be told is an error.

    Parameters
    ----------
    checked
        The outcome.
    """
    findings = checked.findings
    name = f"{findings['model']['name']}/{findings['model']['version']}"
    cases = list(_cases(checked))
    counted = {kind: str(sum(1 for *_, found, _ in cases if found == kind)) for kind in _KINDS}
    suite = ET.Element(
        "testsuite",
        {
            "name": _xml(f"modelmeter {name}"),
            "timestamp": findings["created"].partition("+")[0],
            "hostname": "localhost",
            "package": "modelmeter",
            "id": "0",
            "tests": str(len(cases)),
            "failures": counted["failure"],
            "errors": counted["error"],
            "skipped": counted["skipped"],
            "time": "0",
        },
    )
    properties = ET.SubElement(suite, "properties")
    for key, value in (("rows", f"{findings['rows']:.0f}"), ("verdict", findings["verdict"])):
        ET.SubElement(properties, "property", {"name": key, "value": _xml(value)})
    for check, feature, kind, text in cases:
        labels = {"classname": _xml(f"modelmeter.{check}"), "name": _xml(feature), "time": "0"}
        case = ET.SubElement(suite, "testcase", labels)
        if kind == "skipped":
            ET.SubElement(case, kind, {"message": _xml(text)})
        elif kind:
            ET.SubElement(case, kind, {"message": _xml(text), "type": check}).text = _xml(text)
    ET.SubElement(suite, "system-out").text = _xml(findings["verdict"])
    ET.SubElement(suite, "system-err")
    everything = ET.Element("testsuites")
    everything.append(suite)
    ET.indent(everything)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(everything, encoding="unicode")}\n'
    )


def github(checked: Checked) -> str:
    """Return the outcome as workflow commands: annotations of GitHub Actions.

    Parameters
    ----------
    checked
        The outcome.
    """
    lines = [
        _annotation(level, f"{one['check']} {one['feature'] or ''}".strip(), one["text"])
        for level, problems in (("error", checked.failed), ("warning", checked.others))
        for one in problems
    ]
    level = "error" if checked.exit_code == CANNOT_TELL else "notice"
    text = checked.text if checked.exit_code == CANNOT_TELL else checked.findings["verdict"]
    return "\n".join([*lines, _annotation(level, checked.findings["model"]["name"], text)]) + "\n"


_KINDS: Final = ("failure", "error", "skipped", "")


def _cases(checked: Checked) -> Iterator[tuple[str, str, str, str]]:
    """Yield check, feature, what it comes to (nothing for passed), and the words."""
    for check in CHECKS:
        of_check = [
            (problem, "failure" if check in checked.fail_on else "skipped")
            for problem in (*checked.failed, *checked.others)
            if problem["check"] == check
        ]
        for problem, kind in of_check:
            yield check, problem["feature"] or check, kind, problem["text"]
        told = {problem["feature"] for problem, _ in of_check}
        if check in checked.cannot_tell:
            yield check, check, "error", "cannot be told from these rows"
        elif check in checked.fail_on:
            for feature, state in states_of(checked.findings, check):
                if feature not in told and state != "alarm":
                    yield check, feature, "skipped" if state in _FEW else "", _FEW.get(state, "")


def _annotation(level: str, title: str, text: str) -> str:
    return f"::{level} title={_escaped(f'modelmeter: {title}', more=':,')}::{_escaped(text)}"


def _escaped(text: str, *, more: str = "") -> str:
    """Escape as GitHub's own toolkit does."""
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
