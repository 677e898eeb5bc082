"""Tests of modelmeter.demo.words."""

import io
import math

import pytest

from modelmeter.demo import words


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (words.figure, 18.234, "18.2"),
        (words.figure, 0.5, "0.50"),
        (words.figure, 0.0043, "0.004"),
        (words.figure, -0.0004, "0.000"),
        (words.figure, math.nan, "-"),
        (words.percent, 0.204, "20.4%"),
        (words.percent, 0.0071, "0.71%"),
        (words.percent, 0.0, "0%"),
        (words.percent, math.nan, "-"),
        (words.count, 12_345.6, "12,346"),
        (words.count, math.nan, "-"),
        (words.milliseconds, 0.0123, "12 ms"),
        (words.milliseconds, math.nan, "-"),
        (words.clock, 83.9, "1:23"),
    ],
)
def test_numbers_in_words(function, value: float, text: str):
    """Numbers are written with the digits that matter."""
    assert function(value) == text


def test_no_control_codes_off_a_terminal():
    """In a file there are no control codes, and lines are not folded."""
    file = io.StringIO()
    words.say(words.make_console(file), "x" * 200 + " [bold]y[/]", "bold red")
    assert file.getvalue() == "x" * 200 + " [bold]y[/]\n"


def test_odd_encoding_does_not_fail():
    """What an encoding does not have is replaced."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    words.say(words.make_console(file), "✓ done")
    file.flush()
    assert raw.getvalue() == b"? done\n"
