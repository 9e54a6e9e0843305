# SPDX-License-Identifier: Apache-2.0
"""An exported Arduino library → an image, by arduino-cli and the profile in its ``sketch.yaml``.

The profile, named as the board, pins the platform and the libraries; arduino-cli fetches what is
missing into a place of its own.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from edgecxr.core.board import Board
from edgecxr.deploy import toolchain
from edgecxr.deploy.built import Built, too_big
from edgecxr.errors import FlashError

SKETCH = Path("examples") / "classify"
_LIMITS = (
    (r"uses (\d+) bytes .*Maximum is (\d+) bytes", "flash"),
    (r"variables use (\d+) bytes .*Maximum is (\d+) bytes", "RAM"),
)


def build_arduino(board: Board, library: Path, place: Path, model: str) -> Built:
    """Compile and link the library's example sketch.

    Args:
        library: the folder that ``edgecxr export --format arduino`` has written.
        place: where the image goes.
        model: what it is, in words.

    Raises:
        MissingPackageError: if arduino-cli is missing or too old.
        FlashError: if it does not build or does not fit; the message says by how much.
    """
    command = toolchain.find(toolchain.ARDUINO_CLI)
    sketch, folder = library / SKETCH, place / "build"
    options = ("--profile", board.id, "--build-path", folder, "--json", sketch)
    done = toolchain.run([command, "compile", *options])
    answer = _answer(done.stdout)
    said = f"{answer.get('compiler_out', '')}\n{answer.get('compiler_err', '')}"
    if done.returncode != 0:
        raise FlashError(_why(answer, f"{said}\n{done.stderr}", board, model))
    result = answer.get("builder_result") or {}
    sizes = {s["name"]: int(s["size"]) for s in result.get("executable_sections_size") or ()}
    path = folder / f"{sketch.name}.ino.elf"
    if not path.is_file():
        raise FlashError(
            f"arduino-cli ended well and left no {path.name}, expected it in --build-path; "
            "run its compile command by hand to see why"
        )
    return Built(path, folder, sizes.get("text"), sizes.get("data"), sketch)


def _answer(text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _why(answer: dict[str, Any], said: str, board: Board, model: str) -> str:
    for pattern, what in _LIMITS:
        match = re.search(pattern, said)
        if match and int(match[1]) > int(match[2]):
            return too_big(board, model, what, int(match[1]) - int(match[2]), int(match[2]))
    if match := re.search(r"region `(\w+)' overflowed by (\d+) bytes", said):
        flash = match[1].lower().startswith(("flash", "irom", "drom"))
        what, size = ("flash", board.flash_bytes) if flash else ("RAM", board.ram_bytes)
        return too_big(board, model, what, int(match[2]), size)
    # The compiler's own words first; what arduino-cli says of itself is "exit status 1" then.
    words = said if re.search("error", said) else str(answer.get("error") or said)
    return f"arduino-cli could not build the firmware: {toolchain.first_error(words)}"
