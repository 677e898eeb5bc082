"""Fetch the libraries that the page ships, in the versions named here, from the npm registry.

    .venv/bin/python scripts/vendor.py

To move to another version, change it here and run this; it needs ``npm``. Files, licences and
``versions.json`` are written to ``src/modelmeter/report/page/vendor/``.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "src" / "modelmeter" / "report" / "page" / "vendor"

# Package, version, licence, its file, and the files to take by the name they get; in the order
# in which they are loaded.
PACKAGES = (
    ("chart.js", "4.6.1", "MIT", "LICENSE.md", {"chart.js": "dist/chart.umd.min.js"}),
    (
        "preact",
        "10.29.8",
        "MIT",
        "LICENSE",
        {
            "preact.js": "dist/preact.min.umd.js",
            "preact-hooks.js": "hooks/dist/hooks.umd.js",
        },
    ),
    ("htm", "3.1.1", "Apache-2.0", "LICENSE", {"htm.js": "dist/htm.umd.js"}),
)


def fetch(package: str, version: str, folder: Path) -> dict[str, bytes]:
    """Return every file of a package, by its path in it."""
    command = ["npm", "pack", "--silent", f"{package}@{version}"]
    packed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    found = {}
    with tarfile.open(folder / packed.stdout.strip()) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            if content is not None:
                found[member.name.removeprefix("package/")] = content.read()
    return found


def without_map(script: bytes) -> bytes:
    """Return a script without the line that names a source map, which is not shipped."""
    lines = script.splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(b"//# sourceMappingURL=")]
    return b"".join(kept).rstrip() + b"\n"


def main() -> None:
    """Fetch and write everything."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    versions = []
    with tempfile.TemporaryDirectory() as scratch:
        for package, version, licence, licence_file, wanted in PACKAGES:
            found = fetch(package, version, Path(scratch))
            (FOLDER / f"{package}.LICENSE").write_bytes(found[licence_file].strip() + b"\n")
            for name, path in wanted.items():
                script = without_map(found[path])
                (FOLDER / name).write_bytes(script)
                versions.append(
                    {
                        "file": name,
                        "package": package,
                        "version": version,
                        "licence": licence,
                        "path": path,
                        "sha256": hashlib.sha256(script).hexdigest(),
                    }
                )
    (FOLDER / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


if __name__ == "__main__":
    main()
