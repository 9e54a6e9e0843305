# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys

import numpy as np
import pytest

from edgecxr.bench.machine import (
    cpu_model,
    describe_host,
    forget_peak,
    peak_bytes,
    resident_bytes,
    usable_cpus,
)

MIB = 1024 * 1024
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_the_host_is_named() -> None:
    host = describe_host()
    assert host.cpu == cpu_model() != ""
    assert host.cpus == usable_cpus() >= 1
    assert host.governor != ""


@linux_only
def test_the_peak_counts_memory_that_was_given_back() -> None:
    if not forget_peak():
        pytest.skip("this system does not let a process forget its peak")
    before = resident_bytes()
    np.ones(64 * MIB, np.uint8)
    peak = peak_bytes()
    assert before is not None
    assert peak is not None
    assert 60 * MIB < peak - before < 72 * MIB
    assert forget_peak()
    after = peak_bytes()
    assert after is not None
    assert after < peak - 50 * MIB
