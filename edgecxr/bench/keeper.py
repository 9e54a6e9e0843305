# SPDX-License-Identifier: Apache-2.0
"""Keeps a folder on another machine while this end is there, and removes it when it has gone.

:mod:`edgecxr.bench.ssh` sends this file as text, so it needs nothing but Python 3.7. It prints one
line of JSON, then waits for the end of its input, which comes however the other end ended.
"""

import fcntl
import importlib.util
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

_TRIES = 50


def main(python: str, mark: str, *modules: str) -> None:
    """Args: the command that runs this, what to print first, and the modules to look for."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    found = [module for module in modules if importlib.util.find_spec(module) is not None]
    facts = {
        "python": python,
        "version": list(sys.version_info[:2]),
        "machine": platform.machine(),
        "modules": found,
    }
    base = os.environ.get("XDG_CACHE_HOME")
    root = (Path(base) if base else Path.home() / ".cache") / "edgecxr" / "ssh"
    folder = None
    try:
        try:
            root.mkdir(parents=True, exist_ok=True)
            folder = _new_folder(root)
            facts["folder"] = str(folder)
        except OSError as error:
            facts["error"] = f"{root}: {error.strerror}"
        print(mark, json.dumps(facts), sep="\n", flush=True)
        if folder is not None:
            sys.stdin.read()
    finally:
        if folder is not None:
            _remove(folder)


def _new_folder(root: Path) -> Path:
    """A locked folder. Folders without their keeper, which somebody killed, are removed."""
    gate = os.open(root, os.O_RDONLY)
    fcntl.flock(gate, fcntl.LOCK_EX)
    for old in root.glob("run-*"):
        handle = os.open(old, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old, ignore_errors=True)
        except OSError:
            pass  # in use
        finally:
            os.close(handle)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=root))
    fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)
    os.close(gate)
    return folder


def _remove(folder: Path) -> None:
    """A worker that is about to end may still write into it."""
    for _ in range(_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


if __name__ == "__main__":
    main(*sys.argv[1:])
