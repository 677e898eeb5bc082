"""Profile files: JSON, readable, comparable with `diff`, checked in full when read.

Changing the schema
-------------------
1. Raise `SCHEMA_VERSION` and change `to_document` and `from_document` (`documents`).
2. Add a function that brings a document of the former version to the new one to
   `_UPGRADES`, under the former version's number.
3. Save a file written by the former version as ``tests/profile/files/v<N>.json``; the
   tests read every file in that folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modelmeter._errors import ProfileFileError
from modelmeter.profile.documents import Document, from_document, to_document
from modelmeter.profile.profile import Profile

SCHEMA_VERSION = 2


def _measured_nothing(document: Document) -> Document:
    """Bring version 1 to 2: it had neither performance nor segments nor canary rows."""
    reason = "its profile was built by a modelmeter that did not measure: build it again"
    nothing = {"baseline": None, "calibration": None, "unmeasured": reason}
    return {**document, **nothing, "segments": [], "canary": None}


_UPGRADES: Mapping[int, Callable[[Document], Document]] = {1: _measured_nothing}
"""How to bring a document of an older version to the next one, by its version."""


def save(profile: Profile, path: Path) -> None:
    """Write a profile, replacing the file in one step."""
    text = file_text(profile)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def file_text(profile: Profile) -> str:
    """Return the text of a profile's file."""
    document = to_document(profile)
    return dumps({"schema_version": SCHEMA_VERSION, "hash": _hash(document), **document})


def load(path: Path) -> Profile:
    """Read a profile file.

    Raises
    ------
    ProfileFileError
        The file is truncated, was edited into nonsense, or is of a newer schema.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProfileFileError(
            f"{path} is no profile: it is no valid JSON, perhaps cut off ({error})"
        ) from error
    try:
        return from_document(_upgrade(document))
    except (ProfileFileError, RecursionError) as error:
        raise ProfileFileError(f"{path}: {error}") from error


def content_hash(profile: Profile) -> str:
    """Hash what a profile says; layout and schema version do not count."""
    return _hash(to_document(profile))


def dumps(document: Document) -> str:
    """Write JSON with one key a line, but lists of numbers and texts on one line."""
    return _pretty(document, "") + "\n"


def _pretty(value: Any, indent: str) -> str:
    inner = indent + "  "
    if isinstance(value, dict) and value:
        items = (f"{inner}{json.dumps(k)}: {_pretty(v, inner)}" for k, v in value.items())
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(inner + _pretty(v, inner) for v in value) + f"\n{indent}]"
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(value, allow_nan=False)
    return text


def _hash(document: Document) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _upgrade(document: Any) -> Document:
    if not isinstance(document, dict) or "schema_version" not in document:
        raise ProfileFileError("this is no profile: it has no schema_version")
    version = document["schema_version"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ProfileFileError(f"schema_version must be a whole number, not {version!r}")
    if version > SCHEMA_VERSION:
        raise ProfileFileError(
            f"schema_version is {version}, this modelmeter reads up to {SCHEMA_VERSION}: "
            "upgrade modelmeter"
        )
    content = {k: v for k, v in document.items() if k not in ("schema_version", "hash")}
    found, said = _hash(content), document.get("hash")
    if said is not None and said != found:
        raise ProfileFileError(
            f"the content was changed after it was written (hash {said!r}, content {found!r}); "
            "if that was you, remove the line 'hash'"
        )
    for step in range(version, SCHEMA_VERSION):
        content = _UPGRADES[step](content)
    return content
