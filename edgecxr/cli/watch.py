# SPDX-License-Identifier: Apache-2.0
"""Files that land in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

Stamp = tuple[int, int]


def arrivals(folder: Path, pause: Callable[[], None]) -> Iterator[Path]:
    """Yield each file that is new or changed since the start, once it has stopped growing.

    Hidden files are passed over: programs write there before they rename.

    Args:
        pause: waits between two looks. A file is yielded when two of them find it alike.

    Raises:
        OSError: if the folder cannot be read.
    """
    known = _stamps(folder)
    growing: dict[Path, Stamp] = {}
    while True:
        pause()
        found = _stamps(folder)
        changed = {path: stamp for path, stamp in found.items() if known.get(path) != stamp}
        settled = [path for path, stamp in changed.items() if growing.get(path) == stamp]
        growing = changed
        known = {path: known[path] for path in known.keys() & found.keys()}
        for path in settled:
            known[path] = found[path]
            yield path


def _stamps(folder: Path) -> dict[Path, Stamp]:
    stamps = {}
    for path in sorted(folder.iterdir()):
        try:
            status = path.stat()
        except FileNotFoundError:  # renamed or removed since
            continue
        if path.is_file() and not path.name.startswith("."):
            stamps[path] = (status.st_size, status.st_mtime_ns)
    return stamps
