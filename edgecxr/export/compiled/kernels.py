# SPDX-License-Identifier: Apache-2.0
"""Where the C kernels are: beside this package where it is installed, else in the repository."""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).parent / "kernels"
_REPOSITORY = Path(__file__).parents[3] / "firmware" / "src" / "kernels"

#: The folder of ecx_*.h and ecx_*.c.
KERNELS = _INSTALLED if _INSTALLED.is_dir() else _REPOSITORY
