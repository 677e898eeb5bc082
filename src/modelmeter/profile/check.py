"""Reading fields out of parsed JSON, refusing each with its path and what it holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, TypeGuard

from modelmeter._errors import ProfileFileError
from modelmeter.stats.labels import is_label


class Checker:
    """One JSON object and the path that leads to it.

    Parameters
    ----------
    document
        The parsed object.
    path
        Where it stands, for messages: ``profile.features[3].bins``.

    Raises
    ------
    ProfileFileError
        By every method, where the field is missing or holds something else.
    """

    def __init__(self, document: Any, path: str) -> None:
        self.path = path
        if not isinstance(document, dict):
            raise ProfileFileError(f"{path} must be an object, not {_echo(document)}")
        self.document: dict[str, Any] = document

    def require(self, holds: bool, field: str, what: str) -> None:
        """Refuse the file unless a condition holds."""
        if not holds:
            raise ProfileFileError(f"{self.path}.{field} {what}")

    def text(self, field: str) -> str:
        """Read a text."""
        value = self._get(field)
        return value if isinstance(value, str) else self._refuse(field, "a text")

    def texts(self, field: str) -> dict[str, str]:
        """Read an object of texts."""
        inner = self.object(field)
        return {key: inner.text(key) for key in inner.document}

    def flag(self, field: str) -> bool:
        """Read true or false."""
        value = self._get(field)
        return value if isinstance(value, bool) else self._refuse(field, "true or false")

    def label(self, field: str) -> str:
        """Read a text that can name a series."""
        value = self.text(field)
        return value if is_label(value) else self._refuse(field, "a text that is not empty")

    def one_of(self, field: str, allowed: Sequence[Any]) -> Any:
        """Read one of some values."""
        value = self._get(field)
        return value if value in allowed else self._refuse(field, f"one of {list(allowed)}")

    def number(self, field: str, *, optional: bool = False) -> float | None:
        """Read a finite number, or null where it is optional."""
        value = self._get(field)
        if value is None and optional:
            return None
        if not is_number(value):
            self._refuse(field, "a finite number")
        return float(value)

    def count(self, field: str) -> int:
        """Read a whole number of rows."""
        value = self._get(field)
        if not _is_count(value):
            self._refuse(field, "a whole number of rows")
        return value

    def numbers(self, field: str, *, optional: bool = False) -> list[float]:
        """Read a list of finite numbers, null as an empty one where it is optional."""
        value = self._get(field)
        if value is None and optional:
            return []
        if isinstance(value, list) and all(map(is_number, value)):
            return list(map(float, value))
        return self._refuse(field, "a list of finite numbers")

    def counts(self, field: str) -> list[int]:
        """Read a list of row counts."""
        value = self._get(field)
        if isinstance(value, list) and all(map(_is_count, value)):
            return value
        return self._refuse(field, "a list of whole numbers of rows")

    def text_list(self, field: str) -> list[str]:
        """Read a list of texts."""
        value = self._get(field)
        if isinstance(value, list) and all(isinstance(v, str) for v in value):
            return list(value)
        return self._refuse(field, "a list of texts")

    def scalars(self, field: str) -> list[Any]:
        """Read a list of texts, numbers and booleans, all different."""
        value = self._get(field)
        plain = isinstance(value, list) and all(
            isinstance(v, (str, bool)) or is_number(v) for v in value
        )
        if plain and len(set(value)) == len(value):
            return list(value)
        return self._refuse(field, "a list of different texts, numbers or booleans")

    def cells(self, field: str) -> list[Any]:
        """Read a list of texts, numbers, booleans and nulls: a column of data."""
        value = self._get(field)
        if isinstance(value, list) and all(
            cell is None or isinstance(cell, (str, bool)) or is_number(cell) for cell in value
        ):
            return list(value)
        return self._refuse(field, "a list of texts, numbers, booleans and nulls")

    def object(self, field: str) -> Checker:
        """Read an object."""
        return Checker(self._get(field), f"{self.path}.{field}")

    def optional_object(self, field: str) -> Checker | None:
        """Read an object or null."""
        return None if self._get(field) is None else self.object(field)

    def objects(self, field: str) -> Iterator[Checker]:
        """Read a list of objects."""
        value = self._get(field)
        if not isinstance(value, list):
            self._refuse(field, "a list")
        for i, item in enumerate(value):
            yield Checker(item, f"{self.path}.{field}[{i}]")

    def _get(self, field: str) -> Any:
        if field not in self.document:
            raise ProfileFileError(f"{self.path}.{field} is missing")
        return self.document[field]

    def _refuse(self, field: str, expected: str) -> NoReturn:
        found = _echo(self.document[field])
        raise ProfileFileError(f"{self.path}.{field} must be {expected}, not {found}")


def is_number(value: Any) -> TypeGuard[float]:
    """Tell whether a parsed value is a finite number."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max  # NaN is not; integers may be larger than any float


def _is_count(value: Any) -> TypeGuard[int]:
    # Beyond 2**53 not every number of rows is a float.
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2**53


def _echo(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
