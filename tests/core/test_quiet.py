# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys

import pytest

from edgecxr.core.quiet import native_output_hidden

SCRIPT = """
import os, sys
from edgecxr.core.quiet import native_output_hidden
with native_output_hidden() as log:
    os.write(1, b"native out\\n")
    os.write(2, b"native err\\n")
    print("python out")
    print("python err", file=sys.stderr)
    log.seek(0)
    hidden = log.read()
os.write(1, b"after\\n")
assert hidden == b"native out\\nnative err\\n", hidden
"""


def test_native_output_is_hidden_and_pythons_own_is_not() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "python out\nafter\n"
    assert done.stderr == "python err\n"


def test_an_error_restores_the_streams() -> None:
    before = os.fstat(1).st_ino, os.fstat(2).st_ino
    with pytest.raises(ValueError, match="inside"), native_output_hidden():
        raise ValueError("inside")
    assert (os.fstat(1).st_ino, os.fstat(2).st_ino) == before
