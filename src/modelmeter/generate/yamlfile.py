"""YAML files that are data and nothing else: a Compose file, objects for Kubernetes.

Rule files are written by `rulefile`, because comments belong to them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from modelmeter._errors import MissingExtraError

try:
    import yaml
except ImportError as error:
    raise MissingExtraError("pyyaml", "generate") from error

Document = Mapping[str, Any]


def dump(document: Document) -> str:
    r"""Return a document as YAML, keys in the order given, with a final newline.

    Parameters
    ----------
    document
        Mappings with text as keys, lists, texts, numbers and truth values.

    Examples
    --------
    >>> print(dump({"kind": "Example", "data": {"text": "one\ntwo\n"}}), end="")
    kind: Example
    data:
      text: |
        one
        two
    """
    text: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_NEVER
    )
    return text


def load(text: str) -> Any:
    """Return what a YAML text says."""
    return yaml.load(text, Loader=_Loader)  # both loaders are safe ones


# libyaml reads a rule file twenty times faster; not every platform has it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Texts to PyYAML, but numbers or truth values to the parser of Kubernetes: 08, 0o7, y.
_ELSEWHERE = re.compile(r"[-+]?\.?[0-9]|[yYnN]$")
_NEVER = 2**31 - 1
"""Where lines are folded: a folded text is hard to compare."""


class _Dumper(yaml.SafeDumper):
    """Writes lists indented, texts of several lines as blocks, and everything in full."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists below their key."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write what occurs twice twice: not everyone who reads YAML reads its aliases."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    quoted = "'" if _ELSEWHERE.match(text) else None
    style = "|" if "\n" in text else quoted
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
