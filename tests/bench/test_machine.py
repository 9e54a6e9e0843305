# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecxr.bench.machine import (
    THROTTLED,
    cpu_model,
    describe_host,
    forget_peak,
    peak_bytes,
    read_state,
    resident_bytes,
    usable_cpus,
    with_end,
)
from edgecxr.core.result import MachineState

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


def raspberry_pi(root: Path, kilohertz: str, millidegrees: str) -> Path:
    """The files of a Raspberry Pi 4 that are read."""
    files = {
        "proc/cpuinfo": "processor\t: 0\nmodel name\t: ARMv7 Processor rev 3 (v7l)\n",
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": kilohertz,
        "sys/class/thermal/thermal_zone0/type": "gpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": "99000\n",
        "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone1/temp": millidegrees,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_raspberry_pi_is_described_by_its_files(tmp_path) -> None:
    host = describe_host(raspberry_pi(tmp_path, "1500000\n", "48686\n"))
    assert host.cpu == "Raspberry Pi 4 Model B Rev 1.4"
    assert host.governor == "ondemand"
    assert host.before is not None
    assert (host.before.frequency_mhz, host.before.temperature_c) == (1500, 48.686)


def test_a_system_that_tells_nothing_gives_no_figure(tmp_path) -> None:
    state = read_state(tmp_path)
    assert (state.frequency_mhz, state.temperature_c) == (None, None)
    raspberry_pi(tmp_path, "<unknown>\n", "")
    state = read_state(tmp_path)
    assert (state.frequency_mhz, state.temperature_c) == (None, None)


@pytest.mark.parametrize(
    ("prints", "bits"),
    [
        ("echo throttled=0x50005", 0x50005),
        ("echo throttled=0x0", 0),
        ("echo VCHI initialization failed; exit 1", None),
        ("echo throttled=0x0; exit 1", None),
        ("echo nonsense", None),
    ],
)
def test_what_vcgencmd_prints_is_read(prints, bits, tmp_path, monkeypatch) -> None:
    command = tmp_path / "vcgencmd"
    command.write_text(f'#!/bin/sh\ntest "$*" = get_throttled || exit 9\n{prints}\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert read_state(tmp_path).throttled == bits


@pytest.mark.parametrize(
    ("before", "after", "throttled", "words"),
    [
        (None, None, None, ()),
        (0, 0, False, ()),
        (0x4, 0x0, True, ("currently throttled",)),
        (0, 0x40000, True, ("throttling has occurred",)),
        (0, 0x80008, True, (THROTTLED[3], THROTTLED[19])),
        (
            0x10000,
            0x10000,
            False,
            ("under-voltage has occurred before the run, since the start of the system",),
        ),
    ],
)
def test_a_run_counts_as_throttled_if_a_bit_is_set_or_came_during_it(
    before, after, throttled, words
) -> None:
    host = describe_host().model_copy(update={"before": MachineState(throttled=before)})
    host = with_end(host, MachineState(throttled=after))
    assert (host.throttled, host.throttling) == (throttled, words)
