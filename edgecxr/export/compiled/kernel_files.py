# SPDX-License-Identifier: Apache-2.0
"""Where the C sources are: beside this package where it is installed, else in the repository."""

from __future__ import annotations

from pathlib import Path

_INSTALLED = Path(__file__).parent / "c"
_REPOSITORY = Path(__file__).parents[3] / "firmware" / "src"

#: The folder of the firmware's ecx_*.h and ecx_*.c.
APPLICATION = _INSTALLED if _INSTALLED.is_dir() else _REPOSITORY
#: The folder of the kernels' ecx_*.h, ecx_*.c and ecx_*.S.
KERNELS = APPLICATION / "kernels"


def kernel_files() -> dict[str, str]:
    """All kernel sources by name. What a model does not call, the linker leaves out."""
    return _sources(KERNELS)


def application_files() -> dict[str, str]:
    """The firmware's portable sources by name: the protocol and the loop around a model."""
    return _sources(APPLICATION)


def _sources(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".h", ".c", ".S"))
    return {path.name: path.read_text(encoding="utf-8") for path in paths}
