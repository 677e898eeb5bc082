"""The request schema follows from the profile."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from modelmeter.serving.schema import row_model

GOOD = {"temp": 50.5, "hour": 7, "origin": "JFK", "weekend": False}


def test_a_good_row_passes_and_keeps_its_names(profile):
    """A valid row comes back under the features' own names."""
    row = row_model(profile).model_validate(GOOD)
    assert row.model_dump(by_alias=True) == GOOD


def test_every_field_has_a_type_and_a_description_and_the_row_an_example(profile):
    """The JSON schema shows each feature's type and training range, and a typical row."""
    schema = row_model(profile).model_json_schema()
    types = {
        name: field.get("type") or [option["type"] for option in field["anyOf"]]
        for name, field in schema["properties"].items()
    }
    assert types == {
        "temp": ["number", "null"],
        "hour": "integer",
        "origin": "string",
        "weekend": "boolean",
    }
    assert schema["properties"]["hour"]["description"] == "in training: 5 to 22"
    assert sorted(schema["required"]) == ["hour", "origin", "weekend"]
    row_model(profile).model_validate(schema["example"])


@pytest.mark.parametrize("row", [{**GOOD, "temp": None}, {k: GOOD[k] for k in list(GOOD)[1:]}])
def test_what_was_missing_in_training_may_be_missing(profile, row):
    """A feature that training lacked at times may be null or left out."""
    row_model(profile).model_validate(row)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temp", "50"),
        ("temp", float("nan")),
        ("temp", float("inf")),
        ("temp", True),
        ("hour", 7.5),
        ("hour", "7"),
        ("hour", None),
        ("origin", 3),
        ("origin", None),
        ("origin", ["JFK"]),
        ("weekend", "yes"),
        ("weekend", 1),
    ],
)
def test_a_bad_value_names_its_field(profile, field, value):
    """A value of another type is refused, and the error names the field."""
    with pytest.raises(ValidationError) as error:
        row_model(profile).model_validate({**GOOD, field: value})
    assert {e["loc"][0] for e in error.value.errors()} == {field}
