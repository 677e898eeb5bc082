"""Whether findings are as the schema says, field by field."""

from __future__ import annotations

import types
from typing import Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from modelmeter.report.schema import Findings


def check_schema(findings):
    """AssertionError that names the first field which is not as the schema says."""
    _check(findings, Findings, "findings")


def _check(value, hint, where):
    if is_typeddict(hint):
        hints = get_type_hints(hint)
        assert isinstance(value, dict), f"{where} is no object: {value!r}"
        assert set(value) == set(hints), f"{where}: {set(value) ^ set(hints)}"
        for name, inner in hints.items():
            _check(value[name], inner, f"{where}.{name}")
        return
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        kinds = [one for one in arguments if one is not type(None)]
        if value is None:
            assert type(None) in arguments, f"{where} is null"
        elif len(kinds) == 1:
            _check(value, kinds[0], where)
        else:
            raise AssertionError(f"{where} may be of several types")
    elif origin is Literal:
        assert value in arguments, f"{where} is {value!r}"
    elif origin is list:
        assert isinstance(value, list), f"{where} is no list"
        for i, one in enumerate(value):
            _check(one, arguments[0], f"{where}[{i}]")
    elif origin is dict:
        for key, one in value.items():
            _check(one, arguments[1], f"{where}[{key!r}]")
    elif origin is tuple:
        assert len(value) == len(arguments), f"{where} is {value!r}"
        for one, inner in zip(value, arguments, strict=True):
            _check(one, inner, where)
    elif hint is float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        assert number, f"{where} is {value!r}"
    else:
        assert type(value) is hint, f"{where} is {value!r}"
