"""Compiles translation catalogues (`.po` → `.mo`) with Babel, so that no gettext binary has to be installed.

Run as `python -m daifa.lib.catalogues FOLDER`; only catalogues older than their source are written.
"""

import os
import sys
import tempfile
from pathlib import Path


def compile_catalogues(folder: Path) -> list[Path]:
    """Write each `*.mo` below `folder` that is missing or older than its `*.po`; returns the files written.

    A file is replaced in one step, so a process reading it never sees half a catalogue.
    """
    stale = []
    for source in sorted(folder.rglob("*.po")):
        compiled = source.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
            stale.append((source, compiled))
    if not stale:
        return []

    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    for source, compiled in stale:
        with source.open("rb") as file:
            catalogue = read_po(file, locale=source.parent.parent.name, abort_invalid=True)
        handle, name = tempfile.mkstemp(dir=compiled.parent, suffix=".mo.part")
        with os.fdopen(handle, "wb") as file:
            write_mo(file, catalogue)
        os.chmod(name, 0o644)
        os.replace(name, compiled)
    return [compiled for _, compiled in stale]


if __name__ == "__main__":
    for path in compile_catalogues(Path(sys.argv[1])):
        print(f"compiled {path}")
