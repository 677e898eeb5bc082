"""Where the demo keeps what takes seconds to make: a directory of the user's own.

Files are named after everything that went into them, so a stale one is never read, and
are written beside their place and moved into it, so a half-written one never is either.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def directory() -> Path:
    """Return the directory for cached files, made when it is not there.

    It is ``modelmeter`` in ``$XDG_CACHE_HOME``, by default ``~/.cache``. Where that cannot
    be written, it is a private directory among the temporary files: never a shared one,
    since a cached model is a pickle and whoever can write it can run code.

    Returns
    -------
    pathlib.Path
    """
    try:
        root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        path = Path(root) / "modelmeter"
        path.mkdir(parents=True, exist_ok=True)
        if os.access(path, os.W_OK):
            return path
    except (OSError, RuntimeError):  # a container's user may have no home at all
        pass
    return Path(tempfile.mkdtemp(prefix="modelmeter-"))


def digest(*parts: str | bytes | Path) -> str:
    """Return a short hash of strings, bytes and the content of files.

    Parameters
    ----------
    parts
        What the cached thing depends on; a path stands for its content.

    Returns
    -------
    str
        Sixteen hexadecimal digits.
    """
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            part = part.read_bytes()
        elif isinstance(part, str):
            part = part.encode()
        # The hash of each part has one length: no two lists of parts run into each other.
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:16]


def keep(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file in one step: other processes see it whole or not at all.

    Parameters
    ----------
    path
        Where it shall be.
    write
        Called with a path in the same directory to write to.

    Returns
    -------
    pathlib.Path
        `path`.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    try:
        write(Path(name))
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    return path
