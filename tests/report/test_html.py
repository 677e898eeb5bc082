"""The page as one file: it holds everything, safely, and nothing else."""

import copy
import hashlib
import html.parser
import json
import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from modelmeter.report.html import MODULES, assets, html_report, live_page
from modelmeter.report.summary import summarise

PAGE = files("modelmeter.report").joinpath("page")
FOLDER = Path(str(PAGE))
EVIL = "</script><script>alert(1)</script><!-- \u2028 ' \" & <img src=x onerror=alert(2)>"


class Elements(html.parser.HTMLParser):
    """The elements of a document: name, attributes and text."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])

    def handle_data(self, data):
        if self.found:
            self.found[-1][2] += data

    def of(self, tag):
        return [one for one in self.found if one[0] == tag]


@pytest.fixture(scope="module")
def findings(profile, observed):
    """What was found out about the example."""
    return summarise(profile, observed)


def test_a_report_is_one_file_that_asks_nobody(findings):
    """Nothing in a report is loaded from elsewhere, and its policy would not allow it."""
    document = Elements(html_report(findings))
    for _, attributes, _ in document.found:
        for name in ("src", "href", "action", "data"):
            assert attributes.get(name, "data:").startswith("data:")
    policy = document.of("meta")[-1][1]["content"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


def test_a_report_of_25_features_is_of_moderate_size(findings):
    """A report of 25 features has less than a megabyte."""
    wide = {**findings, "features": (findings["features"] * 5)[:25]}
    assert len(html_report(wide).encode()) < 700_000


def test_what_is_inlined_cannot_leave_its_element(findings):
    """Names that hold markup, line separators or ends of scripts come back as they were."""
    hostile = copy.deepcopy(findings)
    hostile["model"]["name"] = hostile["verdict"] = hostile["features"][0]["name"] = EVIL
    document = Elements(html_report(hostile))
    scripts = document.of("script")
    data = [text for _, attributes, text in scripts if attributes.get("id") == "findings"]
    assert json.loads(data[0]) == json.loads(json.dumps(hostile))
    assert "\u2028" not in data[0]
    assert len(scripts) == 3
    assert not document.of("img")


def test_the_verdict_is_there_without_scripts(findings):
    """Who reads the file without scripts reads the model's name and the verdict."""
    document = Elements(html_report(findings))
    assert document.of("h1")[0][2].strip() == "flight-delay 7"
    assert document.of("p")[0][2].strip() == f"{findings['verdict']}."


def test_the_live_page_names_its_files_by_their_content():
    """The page of a service has relative addresses that change with what they name."""
    text = live_page("monitor/")
    for name, asset in assets().items():
        assert f'"monitor/{name}?v={asset.tag}"' in text
    assert "//" not in text.replace("http://www.w3.org/2000/svg", "")


def test_vendored_libraries_are_what_was_fetched():
    """Each library has the content, the version and the licence that ``versions.json`` says."""
    versions = json.loads(PAGE.joinpath("vendor", "versions.json").read_text())
    listed = {one["file"] for one in versions}
    assert {path.name for path in (FOLDER / "vendor").glob("*.js")} == listed
    for one in versions:
        content = PAGE.joinpath("vendor", one["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == one["sha256"], one["file"]
        assert PAGE.joinpath("vendor", f"{one['package']}.LICENSE").is_file()


def test_modules_import_only_from_those_before_them():
    """The joined script holds every module once, each behind those that it needs."""
    assert {path.name for path in FOLDER.glob("*.js")} == set(MODULES)
    for place, name in enumerate(MODULES):
        text = PAGE.joinpath(name).read_text()
        needed = re.findall(r'^import [^;]*from "\./([^"]+)";$', text, re.MULTILINE)
        assert text.count("import ") == len(needed), name
        assert set(needed) <= set(MODULES[:place]), name
        for exported in re.findall(r"^export .*$", text, re.MULTILINE):
            assert re.match(r"export (async )?(function|const|class) ", exported), exported
    script = assets()["page.js"].text
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)


def test_nothing_of_the_page_is_kept_out_of_the_package():
    """No file of the page is one that version control, and with it the wheel, leaves out."""
    paths = [str(path) for path in FOLDER.rglob("*") if path.is_file()]
    command = ["git", "check-ignore", *paths]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")


def test_texts_are_set_as_texts():
    """No module makes markup of a text."""
    for name in MODULES:
        text = PAGE.joinpath(name).read_text()
        for forbidden in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("):
            assert forbidden not in text, name
