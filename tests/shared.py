# SPDX-License-Identifier: Apache-2.0
"""What is made once in a test run, however many processes pytest-xdist works with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder of this name, filled by ``make`` in the first process that asks for it.

    The others wait for it. Nobody changes it.
    """
    base = factory.getbasetemp()
    # Each worker of pytest-xdist has a base folder of its own inside the run's.
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = root / f"once-{name}", root / f"once-{name}.done"
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
