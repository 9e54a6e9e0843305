# SPDX-License-Identifier: Apache-2.0
"""The machine that measures: its processor, and the memory of one process."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from edgecxr.core.result import Host, MachineState

_ROOT = Path("/")
_PROC = Path("/proc")
_CPUFREQ = Path("sys/devices/system/cpu/cpu0/cpufreq")
_PROCESSOR_ZONES = ("cpu", "soc", "x86_pkg_temp", "coretemp")
_VCGENCMD_S = 5
THROTTLED = {
    0: "under-voltage detected",
    1: "Arm frequency capped",
    2: "currently throttled",
    3: "soft temperature limit active",
    16: "under-voltage has occurred",
    17: "Arm frequency capping has occurred",
    18: "throttling has occurred",
    19: "soft temperature limit has occurred",
}
"""The bits of ``vcgencmd get_throttled``, after Raspberry Pi's documentation of vcgencmd. Bits 0–3
hold at the moment, bits 16–19 since the start of the system."""
_NOW = 0xF


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def _number(path: Path) -> float | None:
    try:
        return float(_read(path) or "")
    except ValueError:
        return None


def cpu_model(root: Path = _ROOT) -> str:
    """The board's name where it has one, as every Raspberry Pi; else the processor's, else its
    architecture.
    """
    found: dict[str, str] = {}
    for line in (_read(root / "proc" / "cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    board = (_read(root / "proc" / "device-tree" / "model") or "").rstrip("\0\n")
    return board or found.get("model name") or platform.processor() or platform.machine()


def read_state(root: Path = _ROOT) -> MachineState:
    """Frequency, temperature and throttling now, as far as the system tells."""
    kilohertz = _number(root / _CPUFREQ / "scaling_cur_freq")
    return MachineState(
        frequency_mhz=None if kilohertz is None else kilohertz / 1000,
        temperature_c=_temperature(root),
        throttled=_throttled_bits(),
    )


def _temperature(root: Path) -> float | None:
    """Of the zone that is the processor's by its name; the hottest, where several are."""
    zones = sorted((root / "sys" / "class" / "thermal").glob("thermal_zone*"))
    found = [
        (_number(zone / "temp"), (_read(zone / "type") or "").lower().startswith(_PROCESSOR_ZONES))
        for zone in zones
    ]
    known = [value / 1000 for value, processor in found if processor and value is not None]
    return max(known, default=None)


def _throttled_bits() -> int | None:
    """None where there is no vcgencmd, or where it may not be asked."""
    command = shutil.which("vcgencmd")
    if command is None:
        return None
    try:
        done = subprocess.run(
            [command, "get_throttled"],
            capture_output=True,
            text=True,
            timeout=_VCGENCMD_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = re.fullmatch(r"throttled=(0x[0-9a-fA-F]+)", done.stdout.strip())
    return int(said[1], 16) if said and done.returncode == 0 else None


def with_end(host: Host, after: MachineState) -> Host:
    """The machine with its state after the benchmark, and with what the two say of throttling.

    A bit of now counts at either end. A bit of "has occurred" counts if the benchmark set it; one
    that was set before may be hours old, and is only told of.
    """
    before = host.before or MachineState()
    if before.throttled is None or after.throttled is None:
        return host.model_copy(update={"after": after})
    seen = before.throttled | after.throttled
    during = (seen & _NOW) | (after.throttled & ~before.throttled)
    words = []
    for bit, meaning in THROTTLED.items():
        if seen >> bit & 1:
            old = bit >= 16 and before.throttled >> bit & 1
            words.append(
                f"{meaning} before the run, since the start of the system" if old else meaning
            )
    update = {"after": after, "throttled": during != 0, "throttling": tuple(words)}
    return host.model_copy(update=update)


def usable_cpus() -> int:
    """CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe_host(root: Path = _ROOT) -> Host:
    """This machine, and its state before a benchmark."""
    governor = _read(root / _CPUFREQ / "scaling_governor")
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return Host(
        cpu=cpu_model(root),
        cpus=usable_cpus(),
        architecture=platform.machine(),
        governor=governor.strip() if governor else None,
        load_average=load,
        system=platform.platform(),
        python=platform.python_version(),
        before=read_state(root),
    )


def _status_bytes(field: str) -> int | None:
    """A field of /proc/self/status that is given in kB (of 1024 bytes)."""
    for line in (_read(_PROC / "self" / "status") or "").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return None


def resident_bytes() -> int | None:
    """Resident memory of this process now; None where the system does not say."""
    return _status_bytes("VmRSS")


def forget_peak() -> bool:
    """Let the peak start again from what is resident now. False where that is not allowed."""
    try:
        (_PROC / "self" / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_bytes() -> int | None:
    """Highest resident memory of this process.

    On Linux VmHWM, since getrusage's ru_maxrss keeps the peak of the process that started this
    one across fork and exec. On macOS ru_maxrss, which is in bytes there.
    """
    peak = _status_bytes("VmHWM")
    if peak is None and sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak
