# SPDX-License-Identifier: Apache-2.0
"""SHA-256 of many files, remembered between runs, and still right when a file changes."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgecxr.core.files import sha256, write_atomic
from edgecxr.data.parallel import Progress, map_parallel

_VERSION: Final = 2

# A file changed this shortly before it was hashed could change again without a new time stamp
# (FAT counts in two seconds), so its hash is not remembered. Git calls such entries racy.
_SETTLED_NS: Final = 3_000_000_000

_Stamp = list[int]


def hash_files(
    root: Path,
    names: Sequence[str],
    cache_dir: Path | None,
    progress: Progress | None = None,
) -> list[str]:
    """The SHA-256 of each file, 64 hexadecimal digits; empty where a file cannot be read.

    With ``cache_dir`` a file is read only if its size, modification time, change time or inode
    differ from the last run. The change time is what makes this safe: copying with preserved times
    or ``touch`` can restore a modification time, but no program can restore a change time. (Windows
    has none; there size and modification time must do.)

    Raises:
        OutputError: if the hashes cannot be stored in ``cache_dir``.
    """
    now = time.time_ns()
    keys = [_key(name) for name in names]
    index = None if cache_dir is None else _index_path(cache_dir, root)
    known = {} if index is None else _read_index(index)
    stamps = [_stamp(root / name) for name in names]
    digests: list[str | None] = [
        known[key][1] if key in known and known[key][0] == stamp else None
        for key, stamp in zip(keys, stamps, strict=True)
    ]
    todo = [i for i, digest in enumerate(digests) if digest is None]
    if todo:
        paths = [root / names[i] for i in todo]
        results = map_parallel(_hash, paths, description="Reading files", progress=progress)
        for i, digest in zip(todo, results, strict=True):
            digests[i] = digest
        if index is not None:
            settled = {
                key: [stamp, digest]
                for key, stamp, digest in zip(keys, stamps, digests, strict=True)
                if digest and stamp and max(stamp[1:3]) < now - _SETTLED_NS
            }
            write_atomic(index, json.dumps({"version": _VERSION, "files": {**known, **settled}}))
    return [digest or "" for digest in digests]


def _index_path(cache_dir: Path, root: Path) -> Path:
    return cache_dir / "hashes" / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.json"


def _key(name: str) -> str:
    """What stands for a file's name in the cache: a name can be a patient's."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:32]


def _stamp(path: Path) -> _Stamp | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def _hash(path: Path) -> str:
    try:
        return sha256(path)
    except OSError:
        return ""


def _read_index(path: Path) -> dict[str, tuple[_Stamp, str]]:
    """What was remembered; nothing if the file is missing or damaged, for it can be made anew."""
    try:
        content = json.loads(path.read_bytes())
        if content["version"] != _VERSION:
            return {}
        return {
            key: ([int(n) for n in stamp], str(digest))
            for key, (stamp, digest) in content["files"].items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
