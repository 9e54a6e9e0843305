# SPDX-License-Identifier: Apache-2.0
"""Where the C kernels are: beside this package where it is installed, else in the repository."""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).parent / "kernels"
_REPOSITORY = Path(__file__).parents[3] / "firmware" / "src" / "kernels"

#: The folder of ecx_*.h, ecx_*.c and ecx_*.S.
KERNELS = _INSTALLED if _INSTALLED.is_dir() else _REPOSITORY


def kernel_files() -> dict[str, str]:
    """All kernel sources by name. What a model does not call, the linker leaves out."""
    paths = sorted(path for path in KERNELS.iterdir() if path.suffix in (".h", ".c", ".S"))
    return {path.name: path.read_text(encoding="utf-8") for path in paths}
