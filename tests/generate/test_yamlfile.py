"""YAML that is data: read back as it was, and the same for everyone who reads it."""

from __future__ import annotations

import pytest
import yaml

from modelmeter.generate.yamlfile import dump, load

TEXTS = ["say \"hi\" and 'hi'", "ü → 🙂", "yes", "1.10", "~", "a: b # c", "two\nlines\n", "end "]
TEXTS += ["trailing  \nspaces", "\ttab\n", "{{ $labels.model }}", "long " * 100, "", "\u2028\x00"]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_is_read_back_as_it_was(text):
    """Texts that look like something else, blocks and odd characters survive."""
    document = {"data": {text or "key": text}, "list": [text, {"a": text}]}
    assert load(dump(document)) == yaml.safe_load(dump(document)) == document


def test_texts_of_several_lines_are_blocks_and_nothing_is_an_alias():
    """JSON inside YAML stays readable, and what occurs twice is written twice."""
    same = ["x"]
    text = dump({"json": '{\n  "a": 1\n}\n', "one": same, "two": same})
    assert text == 'json: |\n  {\n    "a": 1\n  }\none:\n  - x\ntwo:\n  - x\n'


@pytest.mark.parametrize("text", ["08", "-09", "0o7", "1_0", ".5", "1e3", "y", "N", "12:30", "15s"])
def test_what_other_parsers_take_for_a_number_is_quoted(text):
    """Kubernetes reads YAML otherwise than PyYAML: to it, 08 and y would be no texts."""
    assert dump({"a": text}) == f"a: '{text}'\n"
