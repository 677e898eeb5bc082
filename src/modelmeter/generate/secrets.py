"""Files with secrets: where a program inside a container finds them, and where they are outside.

No secret ever stands in a generated file. Whoever needs one is given the path of a file:

- ``/run/secrets/NAME`` is where containers have them; outside it is ``secrets/NAME`` in the
  generated directory;
- any other absolute path is the same outside as inside;
- a relative path is relative to the configuration: in the generated directory outside.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from modelmeter.generate.yamlfile import load

_RUN: Final = "/run/secrets/"
_NAME: Final = re.compile("[a-zA-Z0-9][a-zA-Z0-9._-]*")


@dataclass(frozen=True, slots=True, order=True)
class Secret:
    """A file with a secret.

    Parameters
    ----------
    path
        As the program that reads it is told.
    """

    path: str

    @property
    def host(self) -> str:
        """Where it is outside of containers, relative to the generated directory."""
        if self.path.startswith(_RUN):
            return f"./secrets/{self.path.removeprefix(_RUN)}"
        return self.path if self.path.startswith("/") else f"./{posixpath.normpath(self.path)}"

    @property
    def name(self) -> str:
        """What a Compose file may call it, one name for one file."""
        name = self.host.removeprefix("./secrets/")
        if _NAME.fullmatch(name):
            return name
        digest = hashlib.sha256(self.host.encode()).hexdigest()[:8]
        slug = re.sub("[^a-zA-Z0-9]+", "-", posixpath.basename(name)).strip("-")
        return f"{slug or 'secret'}-{digest}"

    def inside(self, directory: str) -> str:
        """Return where it is in a container whose configuration is in `directory`."""
        return posixpath.normpath(posixpath.join(directory, self.path))


def secrets_in(text: str) -> tuple[Secret, ...]:
    """Return the secrets that a configuration names: its fields that end in ``_file``.

    Parameters
    ----------
    text
        The configuration of a Prometheus or an Alertmanager, as YAML.
    """
    return tuple(Secret(path) for path in dict.fromkeys(_walk(load(text))))


def _walk(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key.endswith("_file") and isinstance(item, str):
                yield item
            else:
                yield from _walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item)
