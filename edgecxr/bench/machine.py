# SPDX-License-Identifier: Apache-2.0
"""The machine that measures: its processor, and the memory of one process."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from edgecxr.core.result import Host

_PROC = Path("/proc")
_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def cpu_model() -> str:
    """The processor's name as the system gives it, else its architecture."""
    found: dict[str, str] = {}
    for line in (_read(_PROC / "cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    board = (_read(_PROC / "device-tree" / "model") or "").rstrip("\0\n")
    return found.get("model name") or board or platform.processor() or platform.machine()


def usable_cpus() -> int:
    """CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe_host() -> Host:
    governor = _read(_GOVERNOR)
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return Host(
        cpu=cpu_model(),
        cpus=usable_cpus(),
        architecture=platform.machine(),
        governor=governor.strip() if governor else None,
        load_average=load,
        system=platform.platform(),
        python=platform.python_version(),
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
