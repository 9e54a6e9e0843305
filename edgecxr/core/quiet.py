# SPDX-License-Identifier: Apache-2.0
"""Keeping what native libraries write to file descriptors 1 and 2 off the user's terminal."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO


def _reopened(descriptor: int) -> IO[str]:
    return os.fdopen(os.dup(descriptor), "w", buffering=1, encoding="utf-8", errors="replace")


@contextmanager
def native_output_hidden() -> Iterator[IO[bytes]]:
    """Send descriptors 1 and 2 to a temporary file, and yield that file.

    Python's own ``sys.stdout`` and ``sys.stderr`` go on to where they went, so that progress and
    errors are still seen. TensorFlow logs from C++ before any of its switches can be set.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    python_streams = sys.stdout, sys.stderr
    saved = os.dup(1), os.dup(2)
    replaced = _reopened(1), _reopened(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        if python_streams == (sys.__stdout__, sys.__stderr__):
            sys.stdout, sys.stderr = replaced
        try:
            yield log
        finally:
            sys.stdout, sys.stderr = python_streams
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            for stream in replaced:
                stream.close()
            for descriptor in saved:
                os.close(descriptor)
