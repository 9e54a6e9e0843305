# SPDX-License-Identifier: Apache-2.0
"""Where the firmware's sources are: beside this package where it is installed, else in the
repository.
"""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).parents[1] / "firmware"
_REPOSITORY = Path(__file__).parents[2] / "firmware"

FIRMWARE = _INSTALLED if _INSTALLED.is_dir() else _REPOSITORY
"""Holds ``src`` (portable), ``ports`` (a folder per platform), an Arduino library's and a Zephyr
module's own files."""
APPLICATION = FIRMWARE / "src"
"""The folder of the application's ecx_*.h and ecx_*.c."""
KERNELS = APPLICATION / "kernels"
"""The folder of the compiled runtime's ecx_*.h, ecx_*.c and ecx_*.S."""
PORTS = FIRMWARE / "ports"
"""A folder per platform."""
FAST_HERE = ("-O3", "-fno-tree-vectorize")
"""How the compiled runtime is built for a computer. Its int8 kernels bring their own vectors; what
GCC 12 adds gains nothing on top, and cost models/cxr3 in float32 a third in `bench`."""
