"""Evidently and NannyML, each in an environment of its own, asked which columns drift."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from peers.environment import NotInstalledError, evidently, nannyml


def pythons():
    """Return the interpreters of the peers that can be had, by name, installed where missing."""
    found = {}
    for name, get in (("evidently", evidently), ("nannyml", lambda: nannyml().python)):
        try:
            found[name] = get()
        except NotInstalledError as error:
            print(error, file=sys.stderr)
    return found


def flagged(name, python, reference, windows):
    """Ask a peer which columns it flags, with its defaults.

    Parameters
    ----------
    name, python
        The peer and its interpreter.
    reference
        Data frame of the training rows; column ``when`` is their time.
    windows
        Data frames to judge, one after the other.

    Returns
    -------
    flags : list of set of str
        Per window.
    about : dict
        Its version, and the seconds that it took per window.
    """
    import pandas as pd

    script = Path(__file__).with_name(f"{name}drift.py")
    with tempfile.TemporaryDirectory() as directory:
        reference.to_parquet(Path(directory, "reference.parquet"), index=False)
        numbered = [frame.assign(window=i) for i, frame in enumerate(windows)]
        pd.concat(numbered).to_parquet(Path(directory, "live.parquet"), index=False)
        quiet = os.environ | {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}
        command = [str(python), "-W", "ignore", str(script), directory]
        result = subprocess.run(command, capture_output=True, text=True, env=quiet)
        if result.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{result.stderr[-2000:]}")
        answer = json.loads(result.stdout.splitlines()[-1])
    flags = [set(answer["flags"].get(str(i), ())) for i in range(len(windows))]
    return flags, {key: answer[key] for key in ("version", "seconds")}
