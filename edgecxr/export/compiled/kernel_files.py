# SPDX-License-Identifier: Apache-2.0
"""The C sources that are copied beside a model."""

from __future__ import annotations

from pathlib import Path

from edgecxr.core.firmware import APPLICATION, KERNELS


def kernel_files() -> dict[str, str]:
    """All kernel sources by name. What a model does not call, the linker leaves out."""
    return _sources(KERNELS)


def application_files() -> dict[str, str]:
    """The firmware's portable sources by name: the protocol and the loop around a model."""
    return _sources(APPLICATION)


def _sources(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".h", ".c", ".S"))
    return {path.name: path.read_text(encoding="utf-8") for path in paths}
