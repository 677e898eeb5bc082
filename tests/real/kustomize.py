"""The real kustomize, as it is in kubectl: it needs no cluster."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import yaml


def kustomize(folder: Path) -> list[dict]:
    """Build a kustomization and return its objects; raise AssertionError when it fails."""
    program = shutil.which("kubectl")
    if program is None:
        raise RuntimeError(
            "these tests run a real kubectl and it is not installed: "
            "apt-get install kubernetes-client (Debian), or put it on PATH"
        )
    command = [program, "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}\n{done.stderr}")
    return list(yaml.load_all(done.stdout, yaml.CSafeLoader))
