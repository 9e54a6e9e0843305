# SPDX-License-Identifier: Apache-2.0
"""What a build system gives back, and the sentence for what has no room."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgecxr.core.board import Board


@dataclass(frozen=True)
class Built:
    """One build's output.

    Attributes:
        path: the ELF file.
        folder: what the platform's own uploader takes.
        flash_bytes: of the whole image; None on the host.
        ram_bytes: of all variables and of the stacks that the platform reserves; None on the host.
        sketch: the sketch's folder, where there is one.
    """

    path: Path
    folder: Path
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    sketch: Path | None = None


def too_big(board: Board, model: str, what: str, missing: int, size: int) -> str:
    """One sentence for a model that has no room.

    Args:
        what: "flash" or "RAM".
        missing: bytes.
        size: bytes that the board has.
    """
    return (
        f"{model} needs {missing:,} bytes more {what} than the {size:,} of {board.id}; choose a "
        "larger board or a smaller model"
    )
