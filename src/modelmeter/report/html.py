"""Findings as a page: one file to be sent around, or what a service shows at ``/monitor``.

Both are the same page, ``report/page/``: JavaScript modules without a build step, a style sheet,
and libraries in ``vendor/`` (``scripts/vendor.py`` fetches them). The modules are joined to one
script, because a file that is opened from disk may not import others.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import Final

from modelmeter.report.schema import Findings
from modelmeter.report.words import shortened

MODULES: Final = (
    "library.js",
    "words.js",
    "charts.js",
    "parts.js",
    "detail.js",
    "features.js",
    "answers.js",
    "history.js",
    "performance.js",
    "service.js",
    "top.js",
    "live.js",
    "main.js",
)
"""Modules of the page; each imports only from those before it."""

_IMPORT: Final = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(?:async )?(?:function|const|class) )", re.MULTILINE)
_ICON: Final = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='4' fill='%232f6fdb'/%3E"
    "%3Cpath d='M4 12V8m4 4V4m4 8V6' stroke='white' stroke-width='2' stroke-linecap='round'/%3E"
    "%3C/svg%3E"
)
# What stands in a script element must not end it, nor begin a comment.
_IN_SCRIPT: Final = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


@dataclass(frozen=True)
class Asset:
    """A file that the page needs.

    Parameters
    ----------
    name
        Of the file.
    media_type
        As HTTP names it.
    text
        Its content.
    """

    name: str
    media_type: str
    text: str

    @property
    def tag(self) -> str:
        """Changes with the content."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


@cache
def assets() -> dict[str, Asset]:
    """Return the style sheet, the libraries and the page's own script, by name."""
    versions = json.loads(_read("vendor/versions.json"))
    vendored = "\n".join(_read(f"vendor/{one['file']}") for one in versions)
    script = "\n".join(_joined(_read(name)) for name in MODULES)
    found = (
        Asset("page.css", "text/css; charset=utf-8", _read("page.css")),
        Asset("vendor.js", "text/javascript; charset=utf-8", vendored),
        Asset("page.js", "text/javascript; charset=utf-8", script),
    )
    return {one.name: one for one in found}


def html_report(findings: Findings) -> str:
    """Return findings as one file of HTML that needs nothing else.

    Parameters
    ----------
    findings
        See docs/reference/findings.md.

    Returns
    -------
    str
        Some 300 kB, and what the findings take; it asks no other host for anything, and its own
        Content-Security-Policy allows nothing but what is in it.
    """
    model = findings["model"]
    title = f"{shortened(model['name'])} {shortened(model['version'])}"
    style, vendored, script = (_in_element(assets()[name].text) for name in _NAMES)
    policy = (
        f"default-src 'none'; script-src {_hash(vendored)} {_hash(script)}; "
        f"style-src {_hash(style)}; img-src data:; base-uri 'none'; form-action 'none'"
    )
    data = json.dumps(findings, allow_nan=False, separators=(",", ":")).translate(_IN_SCRIPT)
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{escape(title)} · modelmeter</title>\n<style>{style}</style>"
    )
    body = (
        # For who reads it without scripts, as in the preview of a mail.
        f'<div id="page"><h1>{escape(title)}</h1><p>{escape(findings["verdict"])}.</p></div>\n'
        f'<script type="application/json" id="findings">{data}</script>\n'
        f"<script>{vendored}</script>\n"
        f'<script type="module">{script}</script>'
    )
    return _document(head, body)


def live_page(base: str) -> str:
    """Return the page that asks a service for findings, again and again.

    Parameters
    ----------
    base
        Where its files and findings are, relative to the page: ``monitor/``, or empty.
    """
    style, vendored, script = (
        f"{escape(base)}{name}?v={assets()[name].tag}" for name in ("page.css", *_NAMES[1:])
    )
    head = (
        f'<title>modelmeter</title>\n<link rel="stylesheet" href="{style}">\n'
        f'<script src="{vendored}" defer></script>\n<script type="module" src="{script}"></script>'
    )
    body = (
        f'<div id="page" data-base="{escape(base)}"></div>\n'
        "<noscript>This page needs JavaScript; <code>modelmeter top</code> shows the same in a "
        "terminal.</noscript>"
    )
    return _document(head, body)


_NAMES: Final = ("page.css", "vendor.js", "page.js")


def _document(head: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<link rel="icon" href="{_ICON}">\n{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n'
    )


def _joined(module: str) -> str:
    """Return a module's text as it may stand behind those that it imports from."""
    return _EXPORT.sub("", _IMPORT.sub("", module))


def _in_element(text: str) -> str:
    return text.replace("</", "<\\/") if "</script" in text or "</style" in text else text


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return files("modelmeter.report").joinpath("page", *name.split("/")).read_text("utf-8")
