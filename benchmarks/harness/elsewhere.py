"""Scripts that run in the environments of peers."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from peers.environment import NotInstalledError

versions: dict[str, str] = {}
"""Of the peers that were asked, by name."""


def run(python, *arguments):
    """Run a script there; its last line of output is JSON, which is returned."""
    quiet = os.environ | {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}
    command = [str(python), "-W", "ignore", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, env=quiet)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{result.stderr[-2000:]}")
    return json.loads(result.stdout.splitlines()[-1])


def found(getters, *, install):
    """Return the interpreters that can be had, by name; say which cannot."""
    there = {}
    for name, get in getters.items():
        try:
            there[name] = get(install=install)
        except NotInstalledError as error:
            print(error, file=sys.stderr)
    return there
