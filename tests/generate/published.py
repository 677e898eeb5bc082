"""What the published schemas say of generated files."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from jsonschema import Draft7Validator, Draft202012Validator

FOLDER = Path(__file__).parent / "schemas"


def compose_faults(document):
    """Return what a Compose file does wrong by the Compose Specification."""
    schema = json.loads((FOLDER / "compose.json").read_text())
    return _faults(Draft7Validator(schema), document)


def kubernetes_faults(found):
    """Return what an object does wrong by the schema of Kubernetes or of the operator."""
    return _faults(_validator(found["kind"]), found)


@cache
def _validator(kind):
    for name in ("kubernetes", "prometheus-operator"):
        schemas = json.loads((FOLDER / f"{name}.json").read_text())
        if kind in schemas["kinds"]:
            reference = f"#/$defs/{schemas['kinds'][kind]}"
            return Draft202012Validator({"$ref": reference, "$defs": schemas["$defs"]})
    raise AssertionError(f"no schema of the kind {kind!r}")


def _faults(validator, document):
    return [
        f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)
    ]
